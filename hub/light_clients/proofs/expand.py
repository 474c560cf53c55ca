"""A proof batch as ordinary ICS-23 proofs, for chains that know no batches.

An adapter submits to its chain with these. The chain judges each proof by itself, so only what the
form of a batch demands is checked here: that every later path ends below a slot that is open.
Whether the hashes meet is left to the verifier, the chain's or ours.

Source: design section 4, "Proof batches"; ibc-go 23-commitment MerkleProof.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from hub.core.codec.proto import bytes_field, message_field
from hub.core.errors import ProofBatchInvalid
from hub.light_clients.proofs.batch import CHILD, HEIGHTS, check_leaves, leaf_digest
from hub.light_clients.proofs.batch_codec import MAX_HEIGHT, ON_RIGHT, RawBatch, decode_batch
from hub.light_clients.proofs.codec import encode_leaf_op
from hub.light_clients.proofs.spec import (
    DIGEST_BYTES,
    IAVL_SPEC,
    TENDERMINT_SPEC,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEAF_START = b"\x00\x02"
_MAP_NODE = b"\x01"
_PATH_TAG = b"\x22"
_INNER_START = b"\x08\x01\x12"
"""Of an inner operation: SHA-256, then the prefix."""
_SUFFIX_TAG = b"\x1a"
_BYTE = [bytes((number,)) for number in range(0x80)]

_Turn = tuple[bytes, int, bytes, bytes]
"""A node of a path: its operation as a field, and while its right slot is open, its height, what
its hash begins with, and the hash of its left child; else 0 and nothing."""


def expand_batch(
    prefix: tuple[bytes, ...], leaves: Sequence[tuple[bytes, bytes]], batch: bytes
) -> tuple[bytes, ...]:
    """The chained proof of each (key, value) of *leaves*, in their order, out of their *batch*.

    *prefix* is the store's name, then the bytes that go before each key within it. Raises
    ``ProofUnparseable``, ``LimitExceeded``, ``ProofBatchInvalid`` or ``ProofSpecViolated``.
    """
    raw = decode_batch(batch, len(leaves))
    full = check_leaves(prefix, leaves)
    proofs, store_root = _store_proofs(raw, full)
    leaf = message_field(3, encode_leaf_op(TENDERMINT_SPEC.leaf))
    upper = _chained(prefix[0], store_root, leaf + _map_path(raw))
    return tuple([proof + upper for proof in proofs])


def _store_proofs(
    raw: RawBatch, leaves: Sequence[tuple[bytes, bytes]]
) -> tuple[list[bytes], bytes]:
    """The lower proof of each leaf, and the root of the store. Raises ``ProofBatchInvalid``."""
    proofs: list[bytes] = []
    operations: dict[bytes, bytes] = {}  # by version: neighbours are often written together
    path: list[_Turn] = []  # from the root down
    root = b""
    start = 0
    for index, (key, value) in enumerate(leaves):
        if index:
            _turn_right(path, raw.joins[index - 1], index)
        version = raw.leaf_versions[index]
        leaf = operations.get(version)
        if leaf is None:
            leaf = operations[version] = _leaf_field(version)
        own, top = _climb(raw, start, raw.ends[index], leaf_digest(version, key, value))
        root = root or top
        path += reversed(own)
        proofs.append(_chained(key, value, leaf + b"".join([turn[0] for turn in reversed(path)])))
        start = raw.ends[index]
    return proofs, root


def _climb(raw: RawBatch, start: int, end: int, current: bytes) -> tuple[list[_Turn], bytes]:
    """The nodes *start* to *end* over the hash *current*, from below, and the hash of the last."""
    turns: list[_Turn] = []
    for at in range(start, end):
        step = raw.steps[at]
        head = HEIGHTS[step & MAX_HEIGHT] + raw.numbers[at] + CHILD
        sibling = raw.siblings[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]
        if step < ON_RIGHT:
            operation = _inner_field(head, CHILD + sibling)
            turns.append((operation, step, head, current))
            current = sha256(head + current + CHILD + sibling).digest()
        else:
            before = head + sibling + CHILD
            turns.append((_inner_field(before, b""), 0, b"", b""))
            current = sha256(before + current).digest()
    return turns, current


def _turn_right(path: list[_Turn], height: int, leaf: int) -> None:
    """*path* ends in the open right slot at *height*. Raises ``ProofBatchInvalid``."""
    while path:
        _, at, head, left = path.pop()
        if at and at == height:
            path.append((_inner_field(head + left + CHILD, b""), 0, b"", b""))
            return
    raise ProofBatchInvalid(leaf=leaf, rule=f"no right slot is open at height {height}")


def _leaf_field(version: bytes) -> bytes:
    return message_field(3, encode_leaf_op(replace(IAVL_SPEC.leaf, prefix=_LEAF_START + version)))


def _inner_field(prefix: bytes, suffix: bytes) -> bytes:
    """An inner operation as a field; no length in it is over 127, so each is one byte."""
    operation = _INNER_START + _BYTE[len(prefix)] + prefix
    if suffix:
        operation += _SUFFIX_TAG + _BYTE[len(suffix)] + suffix
    return _PATH_TAG + _BYTE[len(operation)] + operation


def _chained(key: bytes, value: bytes, operations: bytes) -> bytes:
    """One layer of a chained proof: an existence proof, whose *operations* are encoded already."""
    existence = bytes_field(1, key) + bytes_field(2, value) + operations
    return message_field(1, message_field(1, existence))


def _map_path(raw: RawBatch) -> bytes:
    """The operations from the store's leaf to the root over all stores, as fields."""
    out: list[bytes] = []
    for at, on_right in enumerate(raw.store_sides):
        sibling = raw.store_siblings[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]
        out.append(
            _inner_field(_MAP_NODE + sibling, b"") if on_right else _inner_field(_MAP_NODE, sibling)
        )
    return b"".join(out)
