from __future__ import annotations

from hashlib import sha256

import pytest

from adapters.simchain.store.node import Inner, Leaf, node_hash, zigzag


def test_leaf_hash_is_over_height_size_version_key_and_hashed_value() -> None:
    value = sha256(b"value").digest()
    expected = sha256(b"\x00\x02\x0e" + b"\x03key" + b"\x20" + value).digest()
    assert node_hash(Leaf(b"key", b"value", 7)) == expected


def test_inner_hash_is_over_height_size_version_and_children() -> None:
    low, high = Leaf(b"a", b"1", 1), Leaf(b"b", b"2", 3)
    expected = sha256(
        b"\x02\x04\x06" + b"\x20" + node_hash(low) + b"\x20" + node_hash(high)
    ).digest()
    assert node_hash(Inner(b"b", low, high, 3)) == expected


@pytest.mark.parametrize(
    ("number", "encoded"),
    [(0, b"\x00"), (1, b"\x02"), (63, b"\x7e"), (64, b"\x80\x01"), (1 << 20, b"\x80\x80\x80\x01")],
)
def test_zigzag_doubles_a_number(number: int, encoded: bytes) -> None:
    assert zigzag(number) == encoded


def test_key_longer_than_the_table_of_varints_is_hashed_with_its_length() -> None:
    key = b"k" * 20_000
    expected = sha256(
        b"\x00\x02\x02" + b"\xa0\x9c\x01" + key + b"\x20" + sha256(b"v").digest()
    ).digest()
    assert node_hash(Leaf(key, b"v", 1)) == expected


def test_hash_is_computed_once() -> None:
    leaf = Leaf(b"a", b"1", 1)
    assert node_hash(leaf) is node_hash(leaf)
