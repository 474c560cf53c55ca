from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    derive_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.core.codec.der import decode_signature, encode_signature
from hub.core.crypto.p256 import ORDER, verify

MESSAGE = b"one block"
KEY = derive_private_key(0x1234_5678_9ABC_DEF0, SECP256R1())
LONG_KEY = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
SHORT_KEY = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
R, _SIGNED_S = decode_signature(KEY.sign(MESSAGE, ECDSA(SHA256(), deterministic_signing=True)))
S = min(_SIGNED_S, ORDER - _SIGNED_S)
SIGNATURE = encode_signature(R, S)


@pytest.mark.parametrize("public_key", [LONG_KEY, SHORT_KEY])
def test_a_signature_verifies(public_key: bytes) -> None:
    assert verify(public_key, MESSAGE, SIGNATURE)
    assert verify(public_key, MESSAGE, SIGNATURE, low_s=True)


def test_a_high_s_is_refused_where_low_s_is_demanded() -> None:
    twin = encode_signature(R, ORDER - S)
    assert verify(LONG_KEY, MESSAGE, twin)
    assert not verify(LONG_KEY, MESSAGE, twin, low_s=True)


@pytest.mark.parametrize(
    ("s", "is_low"), [(1, True), (ORDER // 2, True), (ORDER // 2 + 1, False), (ORDER - 1, False)]
)
def test_low_ends_at_half_the_order(s: int, is_low: bool) -> None:  # noqa: FBT001 - a parameter
    """The key is chosen so that this very s signs: d = (s k - z) / r."""
    k = 0xABCDEF
    r = derive_private_key(k, SECP256R1()).public_key().public_numbers().x
    z = int.from_bytes(sha256(MESSAGE).digest(), "big")
    key = derive_private_key((s * k - z) * pow(r, -1, ORDER) % ORDER, SECP256R1())
    public_key = key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    assert verify(public_key, MESSAGE, encode_signature(r, s))
    assert verify(public_key, MESSAGE, encode_signature(r, s), low_s=True) is is_low


@pytest.mark.parametrize(
    ("r", "s"),
    [(0, S), (R, 0), (-R, S), (R, -S), (ORDER, S), (R, ORDER), (R + ORDER, S), (R, S + ORDER)],
)
def test_numbers_out_of_range_are_refused(r: int, s: int) -> None:
    assert not verify(LONG_KEY, MESSAGE, encode_signature(r, s))


@pytest.mark.parametrize(("r", "s"), [(S, R), (R, S ^ 1), (R ^ 1, S), (ORDER - R, S)])
def test_other_numbers_are_refused(r: int, s: int) -> None:
    assert not verify(LONG_KEY, MESSAGE, encode_signature(r, s))


@pytest.mark.parametrize(
    "public_key",
    [
        pytest.param(b"", id="none"),
        pytest.param(b"\x00", id="infinity"),
        pytest.param(LONG_KEY[:-1], id="short"),
        pytest.param(LONG_KEY + b"\x00", id="long"),
        pytest.param(LONG_KEY[:-1] + bytes([LONG_KEY[-1] ^ 1]), id="not-on-the-curve"),
        pytest.param(bytes([6 + (LONG_KEY[-1] & 1)]) + LONG_KEY[1:], id="hybrid"),
        pytest.param(b"\x02" + b"\xff" * 32, id="x-too-large"),
        pytest.param(bytes([SHORT_KEY[0] ^ 1]) + SHORT_KEY[1:], id="the-point's-negative"),
    ],
)
def test_other_keys_are_refused(public_key: bytes) -> None:
    assert not verify(public_key, MESSAGE, SIGNATURE)


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(b"", id="none"),
        pytest.param(SIGNATURE[:-1], id="cut"),
        pytest.param(SIGNATURE + b"\x00", id="trailing"),
        pytest.param(b"\x30\x81" + SIGNATURE[1:], id="long-length"),
        pytest.param(b"\x30\x80" + SIGNATURE[2:] + b"\x00\x00", id="indefinite-length"),
        pytest.param(R.to_bytes(32, "big") + S.to_bytes(32, "big"), id="raw"),
    ],
)
def test_der_must_be_strict(signature: bytes) -> None:
    assert not verify(LONG_KEY, MESSAGE, signature)


def test_another_message_is_refused() -> None:
    assert not verify(LONG_KEY, MESSAGE + b".", SIGNATURE)
