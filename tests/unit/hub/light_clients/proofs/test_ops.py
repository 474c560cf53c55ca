from __future__ import annotations

import hashlib

import pytest

from hub.core.errors import ProofSpecViolated
from hub.light_clients.proofs.ops import digest, inner_hash, leaf_hash
from hub.light_clients.proofs.spec import HashOp, InnerOp, LeafOp, LengthOp

DATA = b"food"


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (HashOp.SHA256, hashlib.sha256(DATA)),
        (HashOp.SHA512, hashlib.sha512(DATA)),
        (HashOp.BLAKE2B_512, hashlib.blake2b(DATA)),
        (HashOp.BLAKE2S_256, hashlib.blake2s(DATA)),
        (HashOp.SHA512_256, hashlib.new("sha512_256", DATA)),
    ],
)
def test_each_hash_is_the_standard_one(op: int, expected: object) -> None:
    assert digest(op, DATA) == expected.digest()  # type: ignore[attr-defined]


def test_bitcoin_hash_is_ripemd_of_sha() -> None:
    """Source: cosmos/ics23 testdata/TestDoHashData.json states this digest of "food"."""
    assert digest(HashOp.BITCOIN, DATA).hex() == "0bcb587dfb4fc10b36d57f2bba1878f139b75d24"
    assert digest(HashOp.RIPEMD160, DATA).hex() == "b1ab9988c7c7c5ec4b2b291adfeeee10e77cdd46"


@pytest.mark.parametrize("op", [HashOp.NO_HASH, HashOp.KECCAK256, 9, 1 << 40])
def test_missing_or_unknown_hash_is_refused(op: int) -> None:
    with pytest.raises(ProofSpecViolated):
        digest(op, DATA)


@pytest.mark.parametrize(
    ("op", "before"),
    [
        (LengthOp.NO_PREFIX, b""),
        (LengthOp.VAR_PROTO, b"\xac\x02"),
        (LengthOp.FIXED32_BIG, b"\x00\x00\x01\x2c"),
        (LengthOp.FIXED32_LITTLE, b"\x2c\x01\x00\x00"),
        (LengthOp.FIXED64_BIG, b"\x00\x00\x00\x00\x00\x00\x01\x2c"),
        (LengthOp.FIXED64_LITTLE, b"\x2c\x01\x00\x00\x00\x00\x00\x00"),
    ],
)
def test_length_goes_before_key_and_value(op: int, before: bytes) -> None:
    data = bytes(300)
    got = leaf_hash(LeafOp(hash=1, length=op, prefix=b"p"), data, data)
    assert got == hashlib.sha256(b"p" + before + data + before + data).digest()


@pytest.mark.parametrize(("op", "size"), [(7, 32), (8, 64)])
def test_required_length_is_required_of_what_is_hashed(op: int, size: int) -> None:
    leaf = LeafOp(hash=1, length=op)
    assert leaf_hash(leaf, bytes(size), bytes(size))
    for key, value in ((bytes(size - 1), bytes(size)), (bytes(size), bytes(size + 1))):
        with pytest.raises(ProofSpecViolated):
            leaf_hash(leaf, key, value)


@pytest.mark.parametrize("op", [LengthOp.VAR_RLP, 9, 1 << 40])
def test_unknown_length_is_refused(op: int) -> None:
    with pytest.raises(ProofSpecViolated):
        leaf_hash(LeafOp(hash=1, length=op), b"k", b"v")


def test_prehash_comes_before_the_length() -> None:
    leaf = LeafOp(hash=1, prehash_key=2, prehash_value=1, length=1)
    expected = hashlib.sha256(
        b"\x40" + hashlib.sha512(b"k").digest() + b"\x20" + hashlib.sha256(b"v").digest()
    )
    assert leaf_hash(leaf, b"k", b"v") == expected.digest()


@pytest.mark.parametrize(("key", "value"), [(b"", b"v"), (b"k", b"")])
def test_leaf_without_key_or_value_is_refused(key: bytes, value: bytes) -> None:
    with pytest.raises(ProofSpecViolated):
        leaf_hash(LeafOp(hash=1), key, value)


def test_inner_node_hashes_prefix_child_suffix() -> None:
    assert inner_hash(InnerOp(1, b"a", b"c"), b"b") == hashlib.sha256(b"abc").digest()


def test_inner_node_without_child_is_refused() -> None:
    with pytest.raises(ProofSpecViolated):
        inner_hash(InnerOp(1, b"a", b"c"), b"")
