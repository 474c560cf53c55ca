"""Ordinary ICS-23 proofs of rising keys as one proof batch, for chains that know no batches.

The inverse of expand.py. An adapter asks its chain for proofs one by one and sends the hub one
batch of them. Each path is read from its leaf up to where it meets the path before it; the rest
was read already. At the end the batch is expanded again and must give the same proofs, byte by
byte: so nothing that a proof says is left out of the batch, and nothing was misread. Whether the
hashes meet the root is left to the verifier.

Source: design section 4, "Proof batches"; cosmos/iavl proof_ics23.go and node.go (writeHashBytes);
ibc-go 23-commitment MerkleProof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.codec.proto import ProtoError, bytes_field, decode_varint
from hub.core.errors import LimitExceeded, ProofBatchInvalid, ProofSpecViolated, ProofUnparseable
from hub.light_clients.proofs.batch import check_leaves
from hub.light_clients.proofs.batch_codec import MAX_HEIGHT, MAX_LEAVES, ON_RIGHT
from hub.light_clients.proofs.codec import MAX_PROOF_BYTES, decode_commitment_proof
from hub.light_clients.proofs.expand import expand_batch
from hub.light_clients.proofs.spec import DEFAULT_MAX_DEPTH, DIGEST_BYTES, ExistenceProof

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAF_VERSION_AT = 10
"""Bytes of a leaf operation before its version: the hash functions, height 0, size 1."""
_PATH_TAG = 0x22
_NUMBERS_AT = 4
"""Bytes of an inner operation before its numbers: the hash function, the prefix's length."""
_BEHIND_NUMBERS = 34
"""Bytes of a prefix behind its numbers where the child stands on the right."""
_MIN_OPERATION = 41
_MAX_PATH_BYTES = 64 * DEFAULT_MAX_DEPTH
"""A node's operation has at most 53 bytes; 255 of the shortest are longer than this."""
_NUMBERS = range(3, 12)
"""How many bytes the height, size and version of a node have."""


def fold_batch(
    prefix: tuple[bytes, ...], leaves: Sequence[tuple[bytes, bytes]], proofs: Sequence[bytes]
) -> bytes:
    """The batch of *leaves*, 1 to 256 of (key, value), keys rising, out of their chained *proofs*.

    *prefix* is the store's name, then the bytes that go before each key within it. Raises
    ``LimitExceeded``, ``ProofUnparseable``, ``ProofSpecViolated`` or ``ProofBatchInvalid``.
    """
    if not 1 <= len(leaves) <= MAX_LEAVES:
        raise LimitExceeded(what="leaves of a batch", count=len(leaves), limit=MAX_LEAVES)
    if len(proofs) != len(leaves):
        raise _bad(f"are {len(proofs)} for {len(leaves)} leaves")
    longest = max(map(len, proofs))
    if longest > MAX_PROOF_BYTES:
        raise LimitExceeded(what="proof bytes", count=longest, limit=MAX_PROOF_BYTES)
    full = check_leaves(prefix, leaves)
    paths = _Paths()
    try:
        upper = _upper(proofs[0])
        map_path = _map_path(upper)
        for (key, value), proof in zip(full, proofs, strict=True):
            paths.add(*_read(proof, key, value, upper, len(paths.lengths)))
    except ProtoError as error:
        raise _bad(str(error)) from error
    batch = map_path + paths.encode()
    for index, again in enumerate(expand_batch(prefix, leaves, batch)):
        if again != proofs[index]:
            raise ProofBatchInvalid(leaf=index, rule="proof is no part of one chain of paths")
    return batch


class _Paths:
    """The arrays of a batch, growing leaf by leaf."""

    def __init__(self) -> None:
        self.lengths = bytearray()
        self._joins = bytearray()
        self._steps = bytearray()
        self._siblings: list[bytes] = []
        self._versions: list[bytes] = []
        self._numbers: list[bytes] = []
        self._before = b""

    def add(self, version: bytes, operations: bytes) -> None:
        """The path of *operations*, from below, as far as the path before does not have it.

        Raises ``ProofSpecViolated`` or ``ProofBatchInvalid``.
        """
        if len(operations) > _MAX_PATH_BYTES:
            raise ProofSpecViolated(at=DEFAULT_MAX_DEPTH, rule="path is too deep")
        start = len(self._steps)
        at, end = 0, len(operations)
        before = self._before
        while at < end:
            at = self._node(operations, at, len(self._steps) - start + 1)
            if before.endswith(operations[at:]):
                break
        if self.lengths:
            self._join(start)
        self.lengths.append(len(self._steps) - start)
        self._versions.append(version)
        self._before = operations

    def encode(self) -> bytes:
        """All but the path through the map of stores."""
        arrays = (self.lengths, self._joins, self._steps)
        return b"".join((*arrays, *self._siblings, *self._versions, *self._numbers))

    def _node(self, operations: bytes, at: int, layer: int) -> int:
        """The offset after the inner node at offset *at*."""
        size = operations[at + 1] if at + 1 < len(operations) else 0
        operation = operations[at + 2 : at + 2 + size]
        if operations[at] != _PATH_TAG or not _MIN_OPERATION <= size == len(operation):
            raise _no_node(layer)
        width = operation[_NUMBERS_AT - 1]
        if size == _NUMBERS_AT + width:
            side = ON_RIGHT
            numbers = operation[_NUMBERS_AT : _NUMBERS_AT + width - _BEHIND_NUMBERS]
            self._siblings.append(operation[-DIGEST_BYTES - 1 : -1])
        else:
            side = 0
            numbers = operation[_NUMBERS_AT : _NUMBERS_AT + width - 1]
            self._siblings.append(operation[-DIGEST_BYTES:])
        if len(numbers) not in _NUMBERS:
            raise _no_node(layer)
        height, cut = numbers[0], 1
        if height > 0x7F:  # noqa: PLR2004 - seven bits a byte; heights over 63 have two
            height, cut = height & 0x7F | numbers[1] << 7, 2
        if height >> 1 > MAX_HEIGHT:
            raise _no_node(layer)
        self._steps.append(height >> 1 | side)
        self._numbers.append(numbers[cut:])
        return at + 2 + size

    def _join(self, start: int) -> None:
        """The last node of a later path is the one where it leaves the path before."""
        if len(self._steps) == start or self._steps[-1] < ON_RIGHT:
            rule = "path does not turn right where it leaves the one before"
            raise ProofBatchInvalid(leaf=len(self.lengths), rule=rule)
        self._joins.append(self._steps.pop() - ON_RIGHT)
        self._siblings.pop()
        self._numbers.pop()


def _read(proof: bytes, key: bytes, value: bytes, upper: bytes, leaf: int) -> tuple[bytes, bytes]:
    """The version of the leaf, and the operations above it, of the lower layer of *proof*.

    Raises ``ProtoError`` or ``ProofBatchInvalid``.
    """
    if not proof.endswith(upper):
        raise ProofBatchInvalid(leaf=leaf, rule="proof is not of the same store and root")
    _, at = decode_varint(proof, 1)
    _, at = decode_varint(proof, at + 1)
    start = bytes_field(1, key) + bytes_field(2, value) + b"\x1a"
    if not proof.startswith(start, at):
        raise ProofBatchInvalid(leaf=leaf, rule="proof does not show this key with this value")
    size, at = decode_varint(proof, at + len(start))
    operations = proof[at + size : len(proof) - len(upper)]
    return proof[at + _LEAF_VERSION_AT : at + size], operations


def _upper(proof: bytes) -> bytes:
    """The second layer of *proof*, as a field; empty if there is none. Raises ``ProtoError``."""
    size, at = decode_varint(proof, 1)
    return proof[at + size :]


def _map_path(upper: bytes) -> bytes:
    """The path through the map of stores, as a batch begins with it.

    Raises ``ProtoError``, ``ProofUnparseable``, ``LimitExceeded`` or ``ProofSpecViolated``.
    """
    _, at = decode_varint(upper, 1)
    proof = decode_commitment_proof(upper[at:])
    if not isinstance(proof, ExistenceProof):
        raise ProofSpecViolated(at=0, rule="the store is not shown to exist")
    sides = bytes([not op.suffix for op in proof.path])
    siblings = [op.suffix or op.prefix[1:] for op in proof.path]
    if len(sides) > DEFAULT_MAX_DEPTH or any(len(one) != DIGEST_BYTES for one in siblings):
        raise ProofSpecViolated(at=0, rule="the store's path is not of a map of stores")
    return bytes((len(sides),)) + sides + b"".join(siblings)


def _no_node(layer: int) -> ProofSpecViolated:
    return ProofSpecViolated(at=layer, rule="is no inner node of an IAVL tree")


def _bad(problem: str) -> ProofUnparseable:
    return ProofUnparseable(what="proofs", problem=problem)
