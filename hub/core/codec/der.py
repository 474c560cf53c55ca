"""Canonical DER by hand: only what stands under a hash or makes up a signature.

Reading is strict: short or minimal lengths, minimal integers, nothing left over. So one value has
exactly one encoding.

Source: ITU-T X.690 sections 8.3, 8.9, 10.1; RFC 3279 section 2.2.3 (Ecdsa-Sig-Value).
"""

from __future__ import annotations

INTEGER = 0x02
SEQUENCE = 0x30

_LONG_FORM = 0x80


class DerError(ValueError):
    """Bytes are not canonical DER; each family turns it into its own typed error."""


def encode_element(tag: int, content: bytes) -> bytes:
    """*content* under *tag*, with a length in its one canonical form."""
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_FORM | len(length))) + length + content


def encode_integer(value: int) -> bytes:
    """*value* as an INTEGER: two's complement in as few bytes as hold it."""
    bits = value.bit_length() if value >= 0 else (value + 1).bit_length()
    return encode_element(INTEGER, value.to_bytes(bits // 8 + 1, "big", signed=True))


def encode_signature(r: int, s: int) -> bytes:
    """The ECDSA signature (*r*, *s*). Source: RFC 3279, Ecdsa-Sig-Value."""
    return encode_element(SEQUENCE, encode_integer(r) + encode_integer(s))


def read_element(data: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """The content of the element with *tag* at offset *at* of *data*, and the offset after it.

    Raises ``DerError``.
    """
    if len(data) - at < 2:  # noqa: PLR2004 - a tag and a length
        raise DerError("element is cut")
    if data[at] != tag:
        raise DerError(f"tag is {data[at]}, not {tag}")
    size, start = data[at + 1], at + 2
    if size & _LONG_FORM:
        count = size & ~_LONG_FORM
        size = int.from_bytes(data[start : start + count], "big")
        # The indefinite length counts no bytes, a cut one too few: neither can be minimal.
        if size < _LONG_FORM or size.bit_length() <= 8 * (count - 1):
            raise DerError("length is indefinite, cut or not minimal")
        start += count
    if size > len(data) - start:
        raise DerError("content is cut")
    return data[start : start + size], start + size


def read_integer(data: bytes, at: int) -> tuple[int, int]:
    """The INTEGER at offset *at* of *data*, and the offset after it. Raises ``DerError``."""
    content, end = read_element(data, at, INTEGER)
    value = int.from_bytes(content, "big", signed=True)
    if encode_integer(value) != data[at:end]:
        raise DerError("integer is empty or not minimal")
    return value, end


def decode_signature(data: bytes) -> tuple[int, int]:
    """Both numbers of the ECDSA signature *data*, of any size. Raises ``DerError``."""
    content, end = read_element(data, 0, SEQUENCE)
    r, at = read_integer(content, 0)
    s, last = read_integer(content, at)
    if end != len(data) or last != len(content):
        raise DerError("bytes are left over")
    return r, s
