"""Canonical bytes: what is written is read, and whatever is read can be written one way only."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from hub.core.codec.der import DerError, decode_signature, encode_signature
from hub.core.codec.proto import (
    FIXED32,
    FIXED64,
    LENGTH,
    VARINT,
    ProtoError,
    decode_varint,
    encode_varint,
    message_field,
    read_fields,
    signed,
)

UINT64 = st.integers(0, 2**64 - 1)
NUMBERS = st.integers(1, 2**29 - 1)
FIELDS = st.lists(
    st.one_of(
        st.tuples(NUMBERS, st.just(VARINT), UINT64),
        st.tuples(NUMBERS, st.just(LENGTH), st.binary(max_size=300)),
        st.tuples(NUMBERS, st.just(FIXED64), st.binary(min_size=8, max_size=8)),
        st.tuples(NUMBERS, st.just(FIXED32), st.binary(min_size=4, max_size=4)),
    ),
    max_size=8,
).map(lambda found: sorted(found, key=lambda field: field[0]))


def _write(number: int, wire_type: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return encode_varint(number << 3 | VARINT) + encode_varint(value)
    if wire_type == LENGTH:
        return message_field(number, value)
    return encode_varint(number << 3 | wire_type) + value


def _padded(value: int, zeros: int) -> bytes:
    """*value* as a varint with more bytes than it needs."""
    encoded = bytearray(encode_varint(value))
    encoded[-1] |= 0x80
    return bytes(encoded) + b"\x80" * (zeros - 1) + b"\x00"


@given(UINT64, st.binary(max_size=3), st.binary(max_size=3))
def test_varints_are_read_as_they_are_written(value: int, before: bytes, after: bytes) -> None:
    encoded = encode_varint(value)
    data = before + encoded + after
    assert decode_varint(data, len(before)) == (value, len(before) + len(encoded))


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_numbers_are_read_as_they_are_written(value: int) -> None:
    assert signed(decode_varint(encode_varint(value), 0)[0]) == value


@given(st.binary(max_size=12))
@example(b"\x80\x00")
@example(b"\xff" * 9 + b"\x01")
@example(b"\xff" * 9 + b"\x02")
def test_a_varint_that_is_read_is_the_one_that_is_written(data: bytes) -> None:
    try:
        value, end = decode_varint(data, 0)
    except ProtoError:
        return
    assert encode_varint(value) == data[:end]


@given(UINT64, st.integers(1, 12))
def test_a_padded_varint_is_refused(value: int, zeros: int) -> None:
    try:
        decode_varint(_padded(value, zeros), 0)
    except ProtoError:
        return
    raise AssertionError("a padded varint was read")


@given(FIELDS)
def test_fields_are_read_as_they_are_written(found: list[tuple[int, int, int | bytes]]) -> None:
    data = b"".join([_write(*field) for field in found])
    assert list(read_fields(data)) == found


@given(st.binary(max_size=60))
def test_bytes_that_are_read_are_those_that_are_written(data: bytes) -> None:
    """So no two byte strings have the same fields: nothing is padded, skipped or left over."""
    try:
        found = list(read_fields(data))
    except ProtoError:
        return
    assert b"".join([_write(*field) for field in found]) == data
    numbers = [number for number, _, _ in found]
    assert numbers == sorted(numbers)


@given(FIELDS.filter(bool), st.data())
def test_a_cut_message_is_refused_or_ends_at_a_field(
    found: list[tuple[int, int, int | bytes]], data: st.DataObject
) -> None:
    parts = [_write(*field) for field in found]
    whole = b"".join(parts)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        read = list(read_fields(cut))
    except ProtoError:
        return
    assert cut == b"".join(parts[: len(read)])


@given(FIELDS.filter(lambda found: len({number for number, _, _ in found}) > 1))
def test_falling_numbers_are_refused(found: list[tuple[int, int, int | bytes]]) -> None:
    data = b"".join([_write(*field) for field in reversed(found)])
    try:
        list(read_fields(data))
    except ProtoError:
        return
    raise AssertionError("falling numbers were read")


@given(FIELDS, NUMBERS, st.sampled_from([3, 4, 6, 7]), st.binary(max_size=4))
def test_groups_and_unknown_wire_types_are_refused(
    found: list[tuple[int, int, int | bytes]], number: int, wire_type: int, tail: bytes
) -> None:
    data = b"".join([_write(*field) for field in found]) + encode_varint(number << 3 | wire_type)
    try:
        list(read_fields(data + tail))
    except ProtoError:
        return
    raise AssertionError("an unknown wire type was read")


@given(st.integers(), st.integers())
def test_signatures_are_read_as_they_are_written(r: int, s: int) -> None:
    assert decode_signature(encode_signature(r, s)) == (r, s)


@given(st.binary(max_size=40).map(lambda data: b"\x30" + bytes((len(data),)) + data))
@example(bytes.fromhex("300702020102020107"))
def test_a_signature_that_is_read_is_the_one_that_is_written(data: bytes) -> None:
    try:
        r, s = decode_signature(data)
    except DerError:
        return
    assert encode_signature(r, s) == data


@given(st.integers(1, 2**256), st.integers(1, 2**256), st.data())
def test_a_signature_with_one_other_byte_is_another_or_none(
    r: int, s: int, data: st.DataObject
) -> None:
    encoded = encode_signature(r, s)
    at = data.draw(st.integers(0, len(encoded) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != encoded[at]))
    try:
        found = decode_signature(encoded[:at] + bytes((other,)) + encoded[at + 1 :])
    except DerError:
        return
    assert found != (r, s)
