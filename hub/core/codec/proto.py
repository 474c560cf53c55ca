"""Canonical protobuf by hand, for bytes that stand under a hash or a signature.

Reading is strict: minimal varints, field numbers that never fall, no groups, no length beyond the
end. Whatever a caller decodes it encodes again and compares, so unknown fields, defaults written
out and other orders are refused as well.

Source: protobuf encoding; CometBFT and Cosmos sign gogoproto's output, which is in field order
with defaults left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT = 0
FIXED64 = 1
LENGTH = 2
FIXED32 = 5

_MAX_VARINT_BYTES = 10
_UINT64 = (1 << 64) - 1
_MAX_FIELD_NUMBER = (1 << 29) - 1
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


class ProtoError(ValueError):
    """Bytes are not canonical protobuf; each family turns it into its own typed error."""


def encode_varint(value: int) -> bytes:
    """*value* (0 to 2^64-1, or a negative int64 in two's complement) as a minimal varint."""
    value &= _UINT64
    if value < 0x80:  # noqa: PLR2004 - one byte
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned varint of *data* at offset *at*, and the offset after it.

    Raises ``ProtoError`` when it is cut, longer than needed, or over 64 bits.
    """
    if at < len(data) and data[at] < 0x80:  # noqa: PLR2004 - one byte, as nearly all are
        return data[at], at + 1
    value = shift = 0
    for count in range(_MAX_VARINT_BYTES):
        if at + count >= len(data):
            raise ProtoError("varint is cut")
        byte = data[at + count]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - no continuation bit
            if (byte == 0 and count) or value > _UINT64:
                raise ProtoError("varint is not minimal")
            return value, at + count + 1
        shift += 7
    raise ProtoError("varint is over 10 bytes")


def signed(value: int) -> int:
    """The int64 of an unsigned 64-bit *value*, as int32, int64 and enum fields carry it."""
    return value - (1 << 64) if value >> 63 else value


def varint_field(number: int, value: int) -> bytes:
    """Field *number* as a varint; empty when *value* is the default 0."""
    return encode_varint(number << 3 | VARINT) + encode_varint(value) if value else b""


def sfixed64_field(number: int, value: int) -> bytes:
    """Field *number* as a little-endian signed 64-bit integer; empty when 0."""
    if not value:
        return b""
    return encode_varint(number << 3 | FIXED64) + value.to_bytes(8, "little", signed=True)


def bytes_field(number: int, value: bytes) -> bytes:
    """Field *number* as bytes or string; empty when *value* is the empty default."""
    return message_field(number, value) if value else b""


def message_field(number: int, value: bytes) -> bytes:
    """Field *number* as an embedded message; written even when *value* is empty."""
    return encode_varint(number << 3 | LENGTH) + encode_varint(len(value)) + value


def read_fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Each field of *data* as (number, wire type, value), numbers never falling.

    Values are unsigned integers, or bytes for LENGTH, FIXED64 and FIXED32. Raises ``ProtoError``.
    """
    at = last = 0
    while at < len(data):
        tag, at = decode_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number <= _MAX_FIELD_NUMBER:
            raise ProtoError(f"there is no field {number}")
        if number < last:
            raise ProtoError(f"field {number} after field {last}")
        last = number
        if wire_type == VARINT:
            value, at = decode_varint(data, at)
            yield number, wire_type, value
            continue
        if wire_type == LENGTH:
            size, at = decode_varint(data, at)
        elif wire_type in _FIXED_BYTES:
            size = _FIXED_BYTES[wire_type]
        else:
            raise ProtoError(f"field {number} has wire type {wire_type}")
        if size > len(data) - at:
            raise ProtoError(f"field {number} is cut")
        yield number, wire_type, data[at : at + size]
        at += size
