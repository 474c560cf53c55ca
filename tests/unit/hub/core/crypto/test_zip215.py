from __future__ import annotations

from itertools import product

import pytest

from hub.core.crypto import zip215
from tests.harness import edwards

MESSAGE = b"one header"
SECRET, NONCE = 0x1234_5678_9ABC, 0xFEDC_BA98_7654
PUBLIC_KEY, SIGNATURE = edwards.sign(MESSAGE, SECRET, NONCE)
SMALL_ORDER = [encoding for point in edwards.TORSION for encoding in edwards.encodings(point)]
NOT_ON_CURVE = next(
    encoding
    for encoding in (y.to_bytes(32, "little") for y in range(2, 50))
    if edwards.x_of(int.from_bytes(encoding, "little"), 0) is None
)


def _with_s(signature: bytes, s: int) -> bytes:
    return signature[:32] + s.to_bytes(32, "little")


def _s(signature: bytes) -> int:
    return int.from_bytes(signature[32:], "little")


def test_an_ordinary_signature_verifies() -> None:
    assert zip215.verify(PUBLIC_KEY, MESSAGE, SIGNATURE)


@pytest.mark.parametrize(("key_torsion", "nonce_torsion"), list(product(range(8), range(8))))
def test_parts_of_small_order_change_nothing(key_torsion: int, nonce_torsion: int) -> None:
    public_key, signature = edwards.sign(
        MESSAGE, SECRET, NONCE, key_torsion=key_torsion, nonce_torsion=nonce_torsion
    )
    assert zip215.verify(public_key, MESSAGE, signature)
    assert not zip215.verify(public_key, MESSAGE + b".", signature)


def test_points_of_small_order_have_fourteen_encodings() -> None:
    """Source: ZIP-215, section Specification: canonical or not, all are read."""
    assert len(set(SMALL_ORDER)) == 14


@pytest.mark.parametrize("public_key", SMALL_ORDER, ids=lambda data: data.hex()[:8])
@pytest.mark.parametrize("r", SMALL_ORDER, ids=lambda data: data.hex()[:8])
def test_small_order_points_with_s_zero_sign_everything(public_key: bytes, r: bytes) -> None:
    """The 196 cases on which implementations of Ed25519 disagree: ZIP-215 accepts them all."""
    assert zip215.verify(public_key, MESSAGE, r + bytes(32))
    assert not zip215.verify(public_key, MESSAGE, r + (1).to_bytes(32, "little"))


@pytest.mark.parametrize("y", range(19))
def test_a_y_of_p_or_more_is_read_as_its_remainder(y: int) -> None:
    for sign in (0, 1 << 255):
        canonical = zip215._decode((y | sign).to_bytes(32, "little"))
        assert zip215._decode((y + edwards.P | sign).to_bytes(32, "little")) == canonical


@pytest.mark.parametrize("y", range(64))
def test_points_decode_as_the_textbook_says(y: int) -> None:
    for odd in (0, 1):
        point = zip215._decode((y | odd << 255).to_bytes(32, "little"))
        x = edwards.x_of(y, odd)
        if x is None:
            assert point is None
        else:
            assert point == (x, y, 1, x * y % edwards.P)


@pytest.mark.parametrize("r", SMALL_ORDER, ids=lambda data: data.hex()[:8])
def test_what_is_hashed_are_the_bytes_as_they_came(r: bytes) -> None:
    k = edwards.challenge(r, PUBLIC_KEY, MESSAGE)
    assert zip215.verify(PUBLIC_KEY, MESSAGE, _with_s(r, k * SECRET % edwards.ORDER))
    for other in SMALL_ORDER:
        if other != r:
            k = edwards.challenge(other, PUBLIC_KEY, MESSAGE)
            assert not zip215.verify(PUBLIC_KEY, MESSAGE, _with_s(r, k * SECRET % edwards.ORDER))


@pytest.mark.parametrize("times", [1, 2, 7, 15])
def test_an_s_of_the_order_or_more_is_refused(times: int) -> None:
    s = _s(SIGNATURE) + times * zip215.ORDER
    assert not zip215.has_canonical_scalar(_with_s(SIGNATURE, s))
    assert not zip215.verify(PUBLIC_KEY, MESSAGE, _with_s(SIGNATURE, s))


def test_the_largest_s_is_canonical_and_the_order_itself_is_not() -> None:
    assert zip215.has_canonical_scalar(_with_s(SIGNATURE, zip215.ORDER - 1))
    assert not zip215.has_canonical_scalar(_with_s(SIGNATURE, zip215.ORDER))


@pytest.mark.parametrize(
    ("public_key", "signature"),
    [
        pytest.param(NOT_ON_CURVE, SIGNATURE, id="key-not-on-the-curve"),
        pytest.param(PUBLIC_KEY, NOT_ON_CURVE + SIGNATURE[32:], id="r-not-on-the-curve"),
        pytest.param(PUBLIC_KEY[:-1], SIGNATURE, id="short-key"),
        pytest.param(PUBLIC_KEY + b"\x00", SIGNATURE, id="long-key"),
        pytest.param(PUBLIC_KEY, SIGNATURE[:-1], id="short-signature"),
        pytest.param(PUBLIC_KEY, SIGNATURE + b"\x00", id="long-signature"),
        pytest.param(PUBLIC_KEY, b"", id="no-signature"),
        pytest.param(b"", SIGNATURE, id="no-key"),
        pytest.param(PUBLIC_KEY, bytes(64), id="zeros"),
        pytest.param(PUBLIC_KEY, _with_s(SIGNATURE, 0), id="s-zero"),
        pytest.param(PUBLIC_KEY, _with_s(SIGNATURE, _s(SIGNATURE) ^ 1), id="other-s"),
        pytest.param(PUBLIC_KEY, _with_s(SIGNATURE, -_s(SIGNATURE) % edwards.ORDER), id="minus-s"),
        pytest.param(edwards.encode(edwards.BASE), SIGNATURE, id="other-key"),
        pytest.param(PUBLIC_KEY, edwards.encode(edwards.BASE) + SIGNATURE[32:], id="other-r"),
    ],
)
def test_what_does_not_verify_is_refused(public_key: bytes, signature: bytes) -> None:
    assert not zip215.verify(public_key, MESSAGE, signature)


def test_every_flipped_bit_of_key_and_signature_is_refused() -> None:
    for at in range(0, 256, 5):
        flip = (1 << at).to_bytes(32, "little")
        key = bytes(a ^ b for a, b in zip(PUBLIC_KEY, flip, strict=True))
        r = bytes(a ^ b for a, b in zip(SIGNATURE[:32], flip, strict=True))
        s = bytes(a ^ b for a, b in zip(SIGNATURE[32:], flip, strict=True))
        assert not zip215.verify(key, MESSAGE, SIGNATURE)
        assert not zip215.verify(PUBLIC_KEY, MESSAGE, r + SIGNATURE[32:])
        assert not zip215.verify(PUBLIC_KEY, MESSAGE, SIGNATURE[:32] + s)


def test_the_constants_are_the_curves() -> None:
    assert zip215.ORDER == edwards.ORDER
    assert zip215._BASE[:2] == edwards.BASE
    assert edwards.multiply(edwards.ORDER, edwards.BASE) == edwards.IDENTITY
    assert all(edwards.on_curve(point) for point in edwards.TORSION)


@pytest.mark.parametrize("key_torsion", range(8))
def test_sums_agree_with_the_textbook(key_torsion: int) -> None:
    point = edwards.add(edwards.multiply(SECRET, edwards.BASE), edwards.TORSION[key_torsion])
    decoded = zip215._decode(edwards.encode(point))
    assert decoded is not None
    x, y, z, t = zip215._combine(NONCE, SECRET, decoded)
    inverse = pow(z, -1, edwards.P)
    want = edwards.add(edwards.multiply(NONCE, edwards.BASE), edwards.multiply(SECRET, point))
    assert (x * inverse % edwards.P, y * inverse % edwards.P) == want
    assert t * z % edwards.P == x * y % edwards.P
