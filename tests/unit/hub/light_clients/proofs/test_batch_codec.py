from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.errors import LimitExceeded, ProofUnparseable
from hub.light_clients.proofs.batch_codec import (
    MAX_BATCH_BYTES,
    MAX_LEAVES,
    ON_RIGHT,
    Path,
    Step,
    StoreStep,
    decode_batch,
    encode_batch,
)
from hub.light_clients.proofs.spec import DEFAULT_MAX_DEPTH

HASH = bytes(range(32))
STORE = (StoreStep(right=False, sibling=HASH), StoreStep(right=True, sibling=HASH[::-1]))
STEP = Step(height=3, size=5, version=700, right=False, sibling=HASH)
PATHS = (
    Path(version=300, join=0, steps=(STEP, replace(STEP, height=4, right=True))),
    Path(version=1, join=3, steps=()),
)
BATCH = encode_batch(STORE, PATHS)
LENGTHS = 1 + 2 * 33
"""Where the lengths of the paths stand."""

NUMBERS = LENGTHS + 2 + 1 + 2 * 33
"""Where the numbers stand."""


def test_arrays_are_what_was_written() -> None:
    raw = decode_batch(BATCH, 2)
    assert raw.store_sides == b"\x00\x01"
    assert raw.store_siblings == HASH + HASH[::-1]
    assert raw.ends == [2, 2]
    assert raw.joins == b"\x03"
    assert raw.steps == bytes([3, 4 | ON_RIGHT])
    assert raw.siblings == HASH * 2
    assert raw.leaf_versions == [b"\xd8\x04", b"\x02"]
    assert raw.numbers == [b"\x0a\xf8\x0a"] * 2


def test_layout_is_the_documented_one() -> None:
    layout = (
        b"\x02\x00\x01" + HASH + HASH[::-1]  # store
        + b"\x02\x00" + b"\x03" + b"\x03\x84" + HASH * 2  # lengths, joins, steps, siblings
        + b"\xd8\x04\x02" + b"\x0a\xf8\x0a" * 2  # versions; sizes and versions
    )  # fmt: skip
    assert layout == BATCH


def test_smallest_batch_is_one_leaf_without_nodes() -> None:
    raw = decode_batch(b"\x00\x00\x02", 1)
    assert (raw.ends, raw.joins, raw.leaf_versions) == ([0], b"", [b"\x02"])


def _with(at: int, byte: int) -> bytes:
    return BATCH[:at] + bytes([byte]) + BATCH[at + 1 :]


BAD = {
    "nothing": b"",
    "a store path that is too deep": b"\x81" + BATCH[1:],
    "a store path that is cut": b"\x7f" + BATCH[1:],
    "a side that is neither 0 nor 1": _with(1, 2),
    "more nodes than there are": _with(LENGTHS, 3),
    "fewer nodes than there are": _with(LENGTHS, 1),
    "very many nodes": _with(LENGTHS + 1, 255),
    "a missing byte": BATCH[:-1],
    "a missing number": BATCH[:-2],
    "a byte too many": BATCH + b"\x00",
    "a number too many": BATCH + b"\x02",
    "many bytes too many": BATCH + bytes(1000),
    "a negative number": _with(NUMBERS + 2, 0x01),
    "a number written long": BATCH[:NUMBERS] + b"\xd8\x84\x00" + BATCH[NUMBERS + 2 :],
    "a number of ten bytes": BATCH[:NUMBERS]
    + b"\xfe"
    + b"\xff" * 8
    + b"\x01"
    + BATCH[NUMBERS + 2 :],
    "a number that never ends": BATCH[:-1] + b"\xff",
    "only half of it": BATCH[:NUMBERS],
}


@pytest.mark.parametrize("name", BAD)
def test_bytes_that_are_not_canonical_are_refused(name: str) -> None:
    with pytest.raises(ProofUnparseable):
        decode_batch(BAD[name], 2)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (BATCH[: NUMBERS - 1], "is cut"),
        (BATCH[:NUMBERS], "is cut"),
        (BATCH + bytes(1000), "is too long for 2 leaves and 2 nodes"),
        (BATCH[:-1], "has 5 numbers for 2 leaves and 2 nodes"),
        (BATCH[:-1] + b"\x00", "numbers are not minimal, or negative"),
        (_with(1, 2), "a side is neither 0 nor 1"),
    ],
)
def test_refusal_tells_what_is_wrong(data: bytes, problem: str) -> None:
    with pytest.raises(ProofUnparseable) as caught:
        decode_batch(data, 2)
    assert caught.value.problem == problem


def test_store_path_is_as_deep_as_the_spec_allows() -> None:
    deepest = encode_batch(STORE[:1] * DEFAULT_MAX_DEPTH, PATHS)
    assert len(decode_batch(deepest, 2).store_sides) == DEFAULT_MAX_DEPTH
    with pytest.raises(ProofUnparseable) as caught:
        decode_batch(encode_batch(STORE[:1] * (DEFAULT_MAX_DEPTH + 1), PATHS), 2)
    assert caught.value.problem == "store path is too deep"


@pytest.mark.parametrize("leaves", [1, 3, 256])
def test_batch_is_for_its_own_number_of_leaves(leaves: int) -> None:
    with pytest.raises(ProofUnparseable):
        decode_batch(BATCH, leaves)


@pytest.mark.parametrize("leaves", [-1, 0, MAX_LEAVES + 1, 1 << 40])
def test_leaves_are_bounded(leaves: int) -> None:
    with pytest.raises(LimitExceeded):
        decode_batch(BATCH, leaves)


def test_size_is_bounded_before_anything_is_read() -> None:
    with pytest.raises(LimitExceeded):
        decode_batch(bytes(MAX_BATCH_BYTES + 1), 1)
    with pytest.raises(ProofUnparseable):
        decode_batch(bytes(MAX_BATCH_BYTES), 1)


def test_numbers_up_to_sixty_two_bits_are_carried() -> None:
    for number in (0, 1, 63, 64, 2**31, 2**62 - 1):
        step = replace(STEP, size=number, version=number)
        raw = decode_batch(encode_batch((), [Path(number, 0, (step,))]), 1)
        assert raw.numbers == [raw.leaf_versions[0] * 2]
