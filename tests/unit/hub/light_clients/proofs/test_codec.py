from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.codec.proto import bytes_field, message_field, varint_field
from hub.core.errors import HubError, LimitExceeded, ProofUnparseable
from hub.light_clients.proofs.codec import (
    MAX_NODES,
    MAX_PROOF_BYTES,
    decode_commitment_proof,
    decode_merkle_proof,
    encode_commitment_proof,
    encode_inner_op,
    encode_leaf_op,
    encode_merkle_proof,
)
from hub.light_clients.proofs.spec import ExistenceProof, InnerOp, LeafOp, NonExistenceProof
from tests.harness.proof_samples import KEY_PREFIX, MIDDLE, STORE, WORLD, key, lower, upper

ABSENCE = WORLD.absence(STORE, KEY_PREFIX + key(MIDDLE + 1))
LEAF = message_field(3, encode_leaf_op(LeafOp(hash=1)))
STEP = message_field(4, encode_inner_op(InnerOp(1, b"p", b"s")))
EXISTENCE = bytes_field(1, b"k") + bytes_field(2, b"v") + LEAF + STEP


@pytest.mark.parametrize(
    "proof",
    [
        lower(),
        upper(),
        ABSENCE,
        replace(ABSENCE, left=None),
        replace(ABSENCE, right=None),
        NonExistenceProof(b"", None, None),
        ExistenceProof(b"", b"", None, ()),
        ExistenceProof(b"k", b"v", LeafOp(), (InnerOp(0, b"", b""),)),
        ExistenceProof(b"k", b"v", LeafOp(hash=2**64 - 1, length=300), ()),
    ],
)
def test_proof_survives_the_round_trip(
    proof: ExistenceProof | NonExistenceProof,
) -> None:
    assert decode_commitment_proof(encode_commitment_proof(proof)) == proof
    assert decode_merkle_proof(encode_merkle_proof([proof] * 4)) == (proof,) * 4


def _existence(data: bytes) -> bytes:
    return message_field(1, data)


BAD = {
    "nothing": b"",
    "a number": b"\x08\x01",
    "both kinds": _existence(EXISTENCE) + message_field(2, b""),
    "existence twice": _existence(EXISTENCE) * 2,
    "a batch proof of the old format": message_field(3, b""),
    "a compressed proof of the old format": message_field(4, b""),
    "an unknown field": _existence(EXISTENCE) + message_field(9, b"x"),
    "a cut message": _existence(EXISTENCE)[:-1],
    "a byte too many": _existence(EXISTENCE) + b"\x00",
    "a length written long": b"\x0a\x80\x00",
    "a group": b"\x0b\x0c",
    "key twice": _existence(bytes_field(1, b"k") + EXISTENCE),
    "value before key": _existence(bytes_field(2, b"v") + bytes_field(1, b"k") + LEAF),
    "an empty key written out": _existence(b"\x0a\x00" + bytes_field(2, b"v") + LEAF),
    "key as a number": _existence(varint_field(1, 1) + bytes_field(2, b"v") + LEAF),
    "leaf twice": _existence(bytes_field(1, b"k") + LEAF * 2),
    "unknown field of existence": _existence(EXISTENCE + bytes_field(5, b"x")),
    "unknown field of the leaf": _existence(message_field(3, varint_field(6, 1))),
    "leaf hash as bytes": _existence(message_field(3, bytes_field(1, b"\x01"))),
    "leaf hash of 0 written out": _existence(message_field(3, b"\x08\x00")),
    "leaf prefix before its hash": _existence(
        message_field(3, bytes_field(5, b"p") + varint_field(1, 1))
    ),
    "unknown field of a node": _existence(message_field(4, bytes_field(4, b"x"))),
    "node prefix twice": _existence(message_field(4, bytes_field(2, b"x") * 2)),
    "node prefix that is empty, written out": _existence(message_field(4, b"\x12\x00")),
    "unknown field of non-existence": message_field(2, bytes_field(4, b"x")),
    "left neighbour twice": message_field(2, message_field(2, EXISTENCE) * 2),
    "right neighbour before the left": message_field(
        2, message_field(3, EXISTENCE) + message_field(2, EXISTENCE)
    ),
    "a neighbour that is cut": message_field(2, message_field(2, EXISTENCE[:-1])),
}


@pytest.mark.parametrize("name", BAD)
def test_bytes_that_are_not_canonical_are_refused(name: str) -> None:
    with pytest.raises(HubError) as caught:
        decode_commitment_proof(BAD[name])
    assert type(caught.value) is ProofUnparseable
    with pytest.raises(HubError) as caught:
        decode_merkle_proof(message_field(1, BAD[name]))
    assert type(caught.value) is ProofUnparseable


@pytest.mark.parametrize(
    "data",
    [
        b"\x08\x01",
        message_field(2, b""),
        message_field(1, _existence(EXISTENCE)) * 5,
        message_field(1, _existence(EXISTENCE)) + b"\x00",
        b"\x0a",
        b"\x8a\x00\x00",
    ],
    ids=["a number", "an unknown field", "five layers", "a byte too many", "a cut", "a long tag"],
)
def test_chain_that_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(ProofUnparseable):
        decode_merkle_proof(data)


@pytest.mark.parametrize("decode", [decode_commitment_proof, decode_merkle_proof])
def test_size_is_bounded_before_anything_is_read(decode: object) -> None:
    assert callable(decode)
    with pytest.raises(LimitExceeded) as caught:
        decode(b"\xff" * (MAX_PROOF_BYTES + 1))
    assert caught.value.count == MAX_PROOF_BYTES + 1
    with pytest.raises(ProofUnparseable):
        decode(b"\xff" * MAX_PROOF_BYTES)


def test_nodes_are_bounded_while_they_are_read() -> None:
    deep = ExistenceProof(b"k", b"v", LeafOp(hash=1), (InnerOp(1, b"", b""),) * MAX_NODES)
    assert decode_commitment_proof(encode_commitment_proof(deep)) == deep
    with pytest.raises(LimitExceeded):
        decode_commitment_proof(encode_commitment_proof(replace(deep, path=deep.path * 2)))


def test_empty_chain_has_no_proofs() -> None:
    assert decode_merkle_proof(b"") == ()
