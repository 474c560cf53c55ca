"""The curve edwards25519 by its textbook formulas: slow, affine, and no code of the hub's.

A signer may choose any parts of small order here, which no library lets it.
"""

from __future__ import annotations

from hashlib import sha512
from itertools import count

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def add(left: Point, right: Point) -> Point:
    """The sum of two points. Source: RFC 8032 section 5.1, the affine addition law."""
    (x1, y1), (x2, y2) = left, right
    cross = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + cross, P - 2, P)
    y = (y1 * y2 + x1 * x2) * pow(1 - cross, P - 2, P)
    return x % P, y % P


def multiply(scalar: int, point: Point) -> Point:
    """*point* added to itself *scalar* times."""
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def on_curve(point: Point) -> bool:
    x, y = point
    return (-x * x + y * y - 1 - D * x * x * y * y) % P == 0


def square_root(square: int) -> int | None:
    """A root of *square* modulo P, if there is one. P is 5 modulo 8."""
    root = pow(square, (P + 3) // 8, P)
    for candidate in (root, root * pow(2, (P - 1) // 4, P) % P):
        if candidate * candidate % P == square % P:
            return candidate
    return None


def x_of(y: int, odd: int) -> int | None:
    """The x of the point with this *y* whose parity is *odd*; 0 has none but its own."""
    root = square_root((y * y - 1) * pow(D * y * y + 1, P - 2, P))
    if root is None:
        return None
    return root if root & 1 == odd else -root % P


def encode(point: Point) -> bytes:
    """The canonical 32 bytes of *point*."""
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def encodings(point: Point) -> list[bytes]:
    """Every 32 bytes that ZIP-215 reads as *point*, the canonical ones first."""
    x, y = point
    numbers = [y] + ([y + P] if y + P < 2**255 else [])
    signs = [x & 1] if x else [0, 1]
    return [(n | sign << 255).to_bytes(32, "little") for n in numbers for sign in signs]


def _base() -> Point:
    y = 4 * pow(5, P - 2, P) % P
    x = x_of(y, 0)
    if x is None:
        raise AssertionError("the base point is on the curve")
    return x, y


def _torsion() -> tuple[Point, ...]:
    """The eight points of small order, from a generator: L times a point that has all of them."""
    for y in count(2):
        x = x_of(y, 0)
        if x is None:
            continue
        generator = multiply(ORDER, (x, y))
        if multiply(4, generator) != IDENTITY:
            return tuple([multiply(times, generator) for times in range(8)])
    raise AssertionError("unreachable")


BASE = _base()
TORSION = _torsion()


def challenge(r: bytes, public_key: bytes, message: bytes) -> int:
    """The k of a signature, over the bytes as they are."""
    return int.from_bytes(sha512(r + public_key + message).digest(), "little") % ORDER


def sign(
    message: bytes, secret: int, nonce: int, *, key_torsion: int = 0, nonce_torsion: int = 0
) -> tuple[bytes, bytes]:
    """A public key and a signature, each point shifted by one of small order."""
    public_key = encode(add(multiply(secret, BASE), TORSION[key_torsion]))
    r = encode(add(multiply(nonce, BASE), TORSION[nonce_torsion]))
    s = (nonce + challenge(r, public_key, message) * secret) % ORDER
    return public_key, r + s.to_bytes(32, "little")
