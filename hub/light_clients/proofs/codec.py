"""ICS-23 proofs as bytes: canonical protobuf, decoded strictly and encoded again to compare.

Batch and compressed proofs of the old format are refused: upstream removed them, and our own
batches (batch.py) are another format.

Source: cosmos/ics23 proto/cosmos/ics23/v1/proofs.proto; ibc-go 23-commitment MerkleProof
(repeated CommitmentProof = 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.codec.proto import (
    LENGTH,
    VARINT,
    ProtoError,
    bytes_field,
    message_field,
    read_fields,
    varint_field,
)
from hub.core.errors import LimitExceeded, ProofUnparseable
from hub.light_clients.proofs.spec import (
    CommitmentProof,
    ExistenceProof,
    InnerOp,
    LeafOp,
    NonExistenceProof,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PROOF_BYTES = 256 * 1024
"""Two neighbours with values of 64 KiB and the deepest paths fit."""

MAX_LAYERS = 4
MAX_NODES = 256
"""Of one path: the deepest of the pinned specs."""

_REPEATED_PATH = 4
_INNER = {1: VARINT, 2: LENGTH, 3: LENGTH}
_LEAF = {1: VARINT, 2: VARINT, 3: VARINT, 4: VARINT, 5: LENGTH}
_EXISTENCE = {1: LENGTH, 2: LENGTH, 3: LENGTH, 4: LENGTH}
_NON_EXISTENCE = {1: LENGTH, 2: LENGTH, 3: LENGTH}
_COMMITMENT = {1: LENGTH, 2: LENGTH}


def decode_merkle_proof(data: bytes) -> tuple[CommitmentProof, ...]:
    """The chained proofs of *data*, lowest store first.

    Raises ``ProofUnparseable`` or ``LimitExceeded``.
    """
    _bound(data)
    try:
        parts: list[bytes] = []
        for number, wire_type, value in read_fields(data):
            if number != 1 or wire_type != LENGTH or not isinstance(value, bytes):
                raise _bad(f"field {number} is unknown", "merkle proof")
            if len(parts) == MAX_LAYERS:
                raise _bad(f"has over {MAX_LAYERS} layers", "merkle proof")
            parts.append(value)
        proofs = tuple([_commitment(part) for part in parts])
    except ProtoError as error:
        raise _bad(str(error), "merkle proof") from error
    if encode_merkle_proof(proofs) != data:
        raise _bad("is not canonical", "merkle proof")
    return proofs


def decode_commitment_proof(data: bytes) -> CommitmentProof:
    """The one proof of *data*. Raises ``ProofUnparseable`` or ``LimitExceeded``."""
    _bound(data)
    try:
        proof = _commitment(data)
    except ProtoError as error:
        raise _bad(str(error), "commitment proof") from error
    if encode_commitment_proof(proof) != data:
        raise _bad("is not canonical", "commitment proof")
    return proof


def encode_merkle_proof(proofs: Sequence[CommitmentProof]) -> bytes:
    """The canonical bytes of chained *proofs*, lowest store first."""
    return b"".join([message_field(1, encode_commitment_proof(proof)) for proof in proofs])


def encode_commitment_proof(proof: CommitmentProof) -> bytes:
    """The canonical bytes of one proof."""
    if isinstance(proof, ExistenceProof):
        return message_field(1, _encode_existence(proof))
    left, right = proof.left, proof.right
    return message_field(
        2,
        bytes_field(1, proof.key)
        + (b"" if left is None else message_field(2, _encode_existence(left)))
        + (b"" if right is None else message_field(3, _encode_existence(right))),
    )


def encode_leaf_op(op: LeafOp) -> bytes:
    """The canonical bytes of a leaf operation."""
    return (
        varint_field(1, op.hash)
        + varint_field(2, op.prehash_key)
        + varint_field(3, op.prehash_value)
        + varint_field(4, op.length)
        + bytes_field(5, op.prefix)
    )


def encode_inner_op(op: InnerOp) -> bytes:
    """The canonical bytes of an inner operation."""
    return varint_field(1, op.hash) + bytes_field(2, op.prefix) + bytes_field(3, op.suffix)


def _encode_existence(proof: ExistenceProof) -> bytes:
    leaf = b"" if proof.leaf is None else message_field(3, encode_leaf_op(proof.leaf))
    path = b"".join([message_field(_REPEATED_PATH, encode_inner_op(op)) for op in proof.path])
    return bytes_field(1, proof.key) + bytes_field(2, proof.value) + leaf + path


def _commitment(data: bytes) -> CommitmentProof:
    numbers, texts, _ = _read(data, _COMMITMENT, "commitment proof")
    if numbers or len(texts) != 1:
        raise _bad("is neither existence nor non-existence", "commitment proof")
    if 1 in texts:
        return _existence(texts[1])
    _, fields, _ = _read(texts[2], _NON_EXISTENCE, "non-existence proof")
    return NonExistenceProof(
        fields.get(1, b""),
        _existence(fields[2]) if 2 in fields else None,  # noqa: PLR2004 - field number
        _existence(fields[3]) if 3 in fields else None,  # noqa: PLR2004 - field number
    )


def _existence(data: bytes) -> ExistenceProof:
    _, texts, path = _read(data, _EXISTENCE, "existence proof", repeated=_REPEATED_PATH)
    leaf = None
    if 3 in texts:  # noqa: PLR2004 - field number
        numbers, rest, _ = _read(texts[3], _LEAF, "leaf operation")
        leaf = LeafOp(
            hash=numbers.get(1, 0),
            prehash_key=numbers.get(2, 0),
            prehash_value=numbers.get(3, 0),
            length=numbers.get(4, 0),
            prefix=rest.get(5, b""),
        )
    return ExistenceProof(
        texts.get(1, b""), texts.get(2, b""), leaf, tuple([_inner(step) for step in path])
    )


def _inner(data: bytes) -> InnerOp:
    numbers, texts, _ = _read(data, _INNER, "inner operation")
    return InnerOp(numbers.get(1, 0), texts.get(2, b""), texts.get(3, b""))


def _read(
    data: bytes, known: dict[int, int], what: str, repeated: int = 0
) -> tuple[dict[int, int], dict[int, bytes], list[bytes]]:
    """The numbers, the bytes by field, and the values of the *repeated* field, of one message."""
    numbers: dict[int, int] = {}
    texts: dict[int, bytes] = {}
    many: list[bytes] = []
    for number, wire_type, value in read_fields(data):
        if known.get(number) != wire_type:
            raise _bad(f"field {number} is unknown", what)
        if number in numbers or number in texts:
            raise _bad(f"field {number} stands twice", what)
        if isinstance(value, int):
            numbers[number] = value
        elif number == repeated:
            if len(many) == MAX_NODES:
                raise LimitExceeded(what="proof nodes", count=MAX_NODES + 1, limit=MAX_NODES)
            many.append(value)
        else:
            texts[number] = value
    return numbers, texts, many


def _bound(data: bytes) -> None:
    if len(data) > MAX_PROOF_BYTES:
        raise LimitExceeded(what="proof bytes", count=len(data), limit=MAX_PROOF_BYTES)


def _bad(problem: str, what: str) -> ProofUnparseable:
    return ProofUnparseable(what=what, problem=problem)
