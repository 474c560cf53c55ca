"""Ed25519 by the rule of ZIP-215, in plain integers.

The equation is the cofactored one, [8][S]B = [8]R + [8][k]A, and S is canonical. A and R are any
encodings of any points of the curve: of small order, with a y of p or more, with the sign bit set
where x is 0. What is hashed into k are the bytes as they came.

Nothing here is secret, so nothing here takes the same time for all inputs.

Source: ZIP-215; RFC 8032 sections 5.1 and 6; Hisil, Wong, Carter and Dawson 2008 (extended
coordinates, a = -1: the addition law has no exceptions on this curve).
"""

from __future__ import annotations

from hashlib import sha512
from typing import Final

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""Of the subgroup that the base point generates, a prime; L in RFC 8032."""

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_2D: Final = 2 * _D % _P
_SQRT_MINUS_1: Final = pow(2, (_P - 1) // 4, _P)
_Y_MASK: Final = (1 << 255) - 1

_Point = tuple[int, int, int, int]
"""X, Y, Z, T with x = X/Z, y = Y/Z and T = XY/Z."""

_IDENTITY: Final[_Point] = (0, 1, 1, 0)


def has_canonical_scalar(signature: bytes) -> bool:
    """*signature* (64 bytes) carries an S below the group's order."""
    return int.from_bytes(signature[KEY_BYTES:], "little") < ORDER


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """*signature* (64 bytes) of *message* verifies under *public_key* (32 bytes). About 1 ms."""
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    if not has_canonical_scalar(signature):
        return False
    a, r = _decode(public_key), _decode(signature[:KEY_BYTES])
    if a is None or r is None:
        return False
    k = int.from_bytes(sha512(signature[:KEY_BYTES] + public_key + message).digest(), "little")
    s = int.from_bytes(signature[KEY_BYTES:], "little")
    # The reduction of k drops a multiple of L times A, which the cofactor then kills.
    difference = _add(_combine(s, k % ORDER, _negate(a)), _negate(r))
    for _ in range(3):
        difference = _double(difference)
    x, y, z, _ = difference
    return x == 0 and y == z


def _decode(data: bytes) -> _Point | None:
    """The point that the 32 bytes of *data* encode, canonically or not; None if there is none."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, (number & _Y_MASK) % _P
    # x^2 = u/v; the candidate root needs one exponentiation. Source: RFC 8032 5.1.3.
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    square = v * x * x % _P
    if square == -u % _P:
        x = x * _SQRT_MINUS_1 % _P
    elif square != u:
        return None
    if x & 1 != sign:
        x = -x % _P
    return x, y, 1, x * y % _P


def _negate(point: _Point) -> _Point:
    x, y, z, t = point
    return -x % _P, y, z, -t % _P


def _add(left: _Point, right: _Point) -> _Point:
    x1, y1, z1, t1 = left
    x2, y2, z2, t2 = right
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = t1 * _2D * t2 % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(point: _Point) -> _Point:
    x, y, z, _ = point
    a, b, c = x * x % _P, y * y % _P, 2 * z * z % _P
    e, g, h = (x + y) * (x + y) - a - b, b - a, -a - b
    f = g - c
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _combine(s: int, k: int, point: _Point) -> _Point:
    """[*s*]B + [*k*]*point*, bit by bit with one table for both."""
    table = (_IDENTITY, _BASE, point, _add(_BASE, point))
    total = _IDENTITY
    for at in range(max(s.bit_length(), k.bit_length()) - 1, -1, -1):
        total = _double(total)
        choice = (s >> at & 1) | (k >> at & 1) << 1
        if choice:
            total = _add(total, table[choice])
    return total


def _base_point() -> _Point:
    point = _decode((4 * pow(5, -1, _P) % _P).to_bytes(KEY_BYTES, "little"))
    return _IDENTITY if point is None else point


_BASE: Final = _base_point()
