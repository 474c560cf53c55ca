"""RIPEMD-160 in plain integers, for builds of OpenSSL that left it out.

Source: Dobbertin, Bosselaers and Preneel, "RIPEMD-160: a strengthened version of RIPEMD", 1996,
appendix A; ISO/IEC 10118-3.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MASK: Final = 0xFFFFFFFF
_BLOCK_BYTES: Final = 64
_LENGTH_AT: Final = 56
_State = tuple[int, int, int, int, int]

_START: Final[_State] = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)

_RHO: Final = (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8)
"""Gives each round its order of words from the round before."""

_RIGHT_START: Final = tuple([(9 * place + 5) % 16 for place in range(16)])
"""The right line's first order; the left line's is 0 to 15."""

_SHIFTS: Final = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7),
    (13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9),
    (14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6),
    (15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5),
)
"""Bits by round and word; both lines share them."""

_LEFT_CONSTANTS: Final = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_CONSTANTS: Final = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)

_FUNCTIONS: Final[tuple[Callable[[int, int, int], int], ...]] = (
    lambda x, y, z: x ^ y ^ z,
    lambda x, y, z: (x & y) | (~x & z),
    lambda x, y, z: (x | ~y) ^ z,
    lambda x, y, z: (x & z) | (y & ~z),
    lambda x, y, z: x ^ (y | ~z),
)


_PLACES: Final = range(16)


def ripemd160(data: bytes) -> bytes:
    """RIPEMD-160 of *data*, 20 bytes."""
    padding = b"\x80" + bytes((_LENGTH_AT - 1 - len(data)) % _BLOCK_BYTES)
    padded = data + padding + struct.pack("<Q", 8 * len(data))
    state = _START
    for at in range(0, len(padded), _BLOCK_BYTES):
        words = struct.unpack_from("<16I", padded, at)
        a, b, c, d, e = _line(state, words, _PLACES, _LEFT_CONSTANTS, _FUNCTIONS)
        p, q, r, s, t = _line(state, words, _RIGHT_START, _RIGHT_CONSTANTS, _FUNCTIONS[::-1])
        h0, h1, h2, h3, h4 = state
        sums = (h1 + c + s, h2 + d + t, h3 + e + p, h4 + a + q, h0 + b + r)
        state = _wrapped(sums)
    return struct.pack("<5I", *state)


def _line(
    state: _State,
    words: Sequence[int],
    order: Sequence[int],
    constants: Sequence[int],
    functions: Sequence[Callable[[int, int, int], int]],
) -> _State:
    """One of the two lines of five rounds; *order* is the first round's order of *words*."""
    a, b, c, d, e = state
    for shifts, constant, function in zip(_SHIFTS, constants, functions, strict=True):
        for word in order:
            mixed = a + function(b, c, d) + words[word] + constant
            a, e, d, c, b = e, d, _rotated(c, 10), b, _rotated(mixed, shifts[word]) + e & _MASK
        order = [_RHO[word] for word in order]
    return a, b, c, d, e


def _rotated(value: int, bits: int) -> int:
    value &= _MASK
    return (value << bits | value >> 32 - bits) & _MASK


def _wrapped(sums: _State) -> _State:
    a, b, c, d, e = sums
    return a & _MASK, b & _MASK, c & _MASK, d & _MASK, e & _MASK
