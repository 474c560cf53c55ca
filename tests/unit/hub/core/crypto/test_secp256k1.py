from __future__ import annotations

from hashlib import sha256

import pytest
from coincurve import PrivateKey

from hub.core.codec.der import decode_signature, encode_signature
from hub.core.crypto.secp256k1 import verify, verify_der

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
MESSAGE = b"one header"
KEY = PrivateKey(bytes(range(1, 33)))
SHORT_KEY = KEY.public_key.format(compressed=True)
LONG_KEY = KEY.public_key.format(compressed=False)
HYBRID_KEY = bytes([6 + (LONG_KEY[-1] & 1)]) + LONG_KEY[1:]
DER = KEY.sign(MESSAGE)
R, S = decode_signature(DER)


def _raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


RAW = _raw(R, S)
OUT_OF_RANGE = [
    pytest.param(R, ORDER - S, id="high-s"),
    pytest.param(0, S, id="r-zero"),
    pytest.param(R, 0, id="s-zero"),
    pytest.param(ORDER, S, id="r-is-the-order"),
    pytest.param(R, ORDER, id="s-is-the-order"),
    pytest.param(2**256 - 1, S, id="r-all-ones"),
    pytest.param(R, 2**256 - 1, id="s-all-ones"),
    pytest.param(S, R, id="swapped"),
]


def test_a_signature_verifies_in_both_forms() -> None:
    assert verify(SHORT_KEY, MESSAGE, RAW)
    assert verify_der(SHORT_KEY, MESSAGE, DER)
    assert verify_der(LONG_KEY, MESSAGE, DER)


@pytest.mark.parametrize(("r", "s"), OUT_OF_RANGE)
def test_other_numbers_are_refused(r: int, s: int) -> None:
    assert not verify(SHORT_KEY, MESSAGE, _raw(r, s))
    assert not verify_der(SHORT_KEY, MESSAGE, encode_signature(r, s))


@pytest.mark.parametrize(
    ("s", "is_low"), [(1, True), (ORDER // 2, True), (ORDER // 2 + 1, False), (ORDER - 1, False)]
)
def test_low_ends_at_half_the_order(s: int, is_low: bool) -> None:  # noqa: FBT001 - a parameter
    """The key is chosen so that this very s signs: d = (s k - z) / r."""
    k = 0xABCDEF
    r, _ = PrivateKey.from_int(k).public_key.point()
    z = int.from_bytes(sha256(MESSAGE).digest(), "big")
    key = PrivateKey.from_int((s * k - z) * pow(r, -1, ORDER) % ORDER).public_key.format()
    assert verify(key, MESSAGE, _raw(r, s)) is is_low
    assert verify_der(key, MESSAGE, encode_signature(r, s)) is is_low


@pytest.mark.parametrize("r", [-R, R + ORDER, R + 2**256, 2**520])
def test_der_numbers_of_other_sizes_are_refused(r: int) -> None:
    assert not verify_der(SHORT_KEY, MESSAGE, encode_signature(r, S))


@pytest.mark.parametrize(
    "public_key",
    [
        pytest.param(b"", id="none"),
        pytest.param(SHORT_KEY[:-1], id="short"),
        pytest.param(SHORT_KEY + b"\x00", id="long"),
        pytest.param(b"\x04" + SHORT_KEY[1:], id="short-with-long-tag"),
        pytest.param(b"\x05" + SHORT_KEY[1:], id="unknown-tag"),
        pytest.param(HYBRID_KEY, id="hybrid"),
        pytest.param(LONG_KEY[1:], id="no-tag"),
        pytest.param(b"\x02" + LONG_KEY[1:], id="long-with-short-tag"),
        pytest.param(LONG_KEY[:-1] + bytes([LONG_KEY[-1] ^ 1]), id="not-on-the-curve"),
        pytest.param(b"\x02" + b"\xff" * 32, id="x-too-large"),
        pytest.param(bytes([SHORT_KEY[0] ^ 1]) + SHORT_KEY[1:], id="the-point's-negative"),
        pytest.param(PrivateKey(bytes(range(2, 34))).public_key.format(), id="other-key"),
    ],
)
def test_other_keys_are_refused(public_key: bytes) -> None:
    assert not verify(public_key, MESSAGE, RAW)
    assert not verify_der(public_key, MESSAGE, DER)


def test_the_raw_form_takes_compressed_keys_only() -> None:
    """Source: CometBFT crypto/secp256k1, PubKeySize."""
    assert not verify(LONG_KEY, MESSAGE, RAW)


@pytest.mark.parametrize("signature", [b"", RAW[:-1], RAW + b"\x00", DER])
def test_the_raw_form_takes_sixty_four_bytes_only(signature: bytes) -> None:
    assert not verify(SHORT_KEY, MESSAGE, signature)


@pytest.mark.parametrize(
    "signature",
    [b"", RAW, DER[:-1], DER + b"\x00", b"\x31" + DER[1:], b"\x30\x81" + DER[1:]],
    ids=["none", "raw", "cut", "trailing", "tag", "long-length"],
)
def test_der_must_be_strict(signature: bytes) -> None:
    assert not verify_der(SHORT_KEY, MESSAGE, signature)


def test_another_message_is_refused() -> None:
    assert not verify(SHORT_KEY, MESSAGE + b".", RAW)
    assert not verify_der(LONG_KEY, b"", DER)
