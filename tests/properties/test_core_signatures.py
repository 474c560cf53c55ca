"""Signatures: every scheme answers any bytes, and refuses each with one bit changed."""

from __future__ import annotations

import pytest
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from hub.core.codec.der import decode_signature
from hub.core.crypto import digests, ed25519, ripemd, secp256k1, zip215
from hub.core.crypto.ed25519 import SlowChecks
from hub.core.crypto.signatures import SCHEMES
from hub.core.errors import LimitExceeded
from tests.harness import edwards

MESSAGE = b"one header of one city"
Signed = tuple[bytes, bytes]


def _ed25519() -> Signed:
    key = SigningKey(bytes(range(32)))
    return bytes(key.verify_key), key.sign(MESSAGE).signature


def _p256() -> Signed:
    key = derive_private_key(2**200 + 3, SECP256R1())
    public_key = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return public_key, key.sign(MESSAGE, ECDSA(SHA256()))


def _secp256k1() -> Signed:
    key = PrivateKey(bytes(range(1, 33)))
    r, s = decode_signature(key.sign(MESSAGE))
    return key.public_key.format(), r.to_bytes(32, "big") + s.to_bytes(32, "big")


SIGNED = {"ed25519": _ed25519(), "p256": _p256(), "secp256k1": _secp256k1()}
NAMES = st.sampled_from(sorted(SCHEMES))
BYTES = st.one_of(
    st.binary(max_size=80),
    st.binary(min_size=32, max_size=33),
    st.binary(min_size=64, max_size=65),
)


def _flip(data: bytes, at: int) -> bytes:
    at %= 8 * len(data)
    return data[: at // 8] + bytes((data[at // 8] ^ 1 << at % 8,)) + data[at // 8 + 1 :]


@pytest.mark.parametrize("name", sorted(SCHEMES))
def test_the_sample_of_every_scheme_verifies(name: str) -> None:
    public_key, signature = SIGNED[name]
    assert SCHEMES[name].verify(public_key, MESSAGE, signature)


@given(NAMES, st.integers(0, 10**6), st.sampled_from(["key", "message", "signature"]))
def test_one_bit_changed_anywhere_is_refused(name: str, at: int, part: str) -> None:
    public_key, signature = SIGNED[name]
    message = MESSAGE
    if part == "key":
        public_key = _flip(public_key, at)
    elif part == "message":
        message = _flip(message, at)
    else:
        signature = _flip(signature, at)
    assert not SCHEMES[name].verify(public_key, message, signature)


@given(NAMES, BYTES, st.binary(max_size=8), BYTES)
@example("ed25519", bytes(32), b"", bytes(64))
@example("p256", b"\x00", b"", b"\x30\x06\x02\x01\x01\x02\x01\x01")
def test_every_scheme_answers_any_bytes(
    name: str, public_key: bytes, message: bytes, signature: bytes
) -> None:
    assert SCHEMES[name].verify(public_key, message, signature) is False
    own_key, own_signature = SIGNED[name]
    assert SCHEMES[name].verify(own_key, message, signature) is False
    assert SCHEMES[name].verify(public_key, MESSAGE, own_signature) in {
        False,
        public_key == own_key,
    }
    assert secp256k1.verify_der(public_key, message, signature) is False


@given(BYTES, st.binary(max_size=8), BYTES)
def test_zip215_answers_any_bytes_within_its_budget(
    public_key: bytes, message: bytes, signature: bytes
) -> None:
    slow = SlowChecks(1)
    verdict = ed25519.verify_zip215(public_key, message, signature, slow)
    assert verdict == zip215.verify(public_key, message, signature)
    assert slow.spent <= 1
    try:
        assert ed25519.verify_zip215(public_key, message, signature, SlowChecks(0)) == verdict
    except LimitExceeded:
        assert slow.spent == 1


SCALARS = st.integers(1, edwards.ORDER - 1)
TORSION = st.integers(0, 7)


@settings(max_examples=40)
@given(SCALARS, SCALARS, TORSION, TORSION, st.binary(max_size=8))
def test_whatever_libsodium_accepts_zip215_accepts_and_torsion_never_matters(
    secret: int, nonce: int, key_torsion: int, nonce_torsion: int, message: bytes
) -> None:
    public_key, signature = edwards.sign(
        message, secret, nonce, key_torsion=key_torsion, nonce_torsion=nonce_torsion
    )
    assert zip215.verify(public_key, message, signature)
    if key_torsion == nonce_torsion == 0:
        assert ed25519.verify(public_key, message, signature)
    s = int.from_bytes(signature[32:], "little")
    for other in ((s + 1) % edwards.ORDER, -s % edwards.ORDER, s + edwards.ORDER):
        changed = signature[:32] + other.to_bytes(32, "little")
        assert not zip215.verify(public_key, message, changed)


@given(st.binary(max_size=300))
def test_ripemd160_is_the_same_from_both_places(data: bytes) -> None:
    assert ripemd.ripemd160(data) == digests.ripemd160(data)
