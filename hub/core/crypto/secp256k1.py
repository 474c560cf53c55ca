"""ECDSA over secp256k1 with SHA-256; a high s is refused everywhere, for it is a twin.

Source: SEC 2 section 2.4.1; BIP-146 (low s); CometBFT crypto/secp256k1 (33-byte key, r and s of 32
bytes each).
"""

from __future__ import annotations

from coincurve import PublicKey

from hub.core.codec.der import DerError, decode_signature, encode_signature

COMPRESSED_BYTES = 33
UNCOMPRESSED_BYTES = 65
SIGNATURE_BYTES = 64

_SCALAR_BYTES = 32
_UNCOMPRESSED_TAG = b"\x04"


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """*signature* (r, s: 64 bytes) of *message* verifies under *public_key* (33 bytes)."""
    if len(public_key) != COMPRESSED_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    r = int.from_bytes(signature[:_SCALAR_BYTES], "big")
    s = int.from_bytes(signature[_SCALAR_BYTES:], "big")
    return _verify(public_key, message, encode_signature(r, s))


def verify_der(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """*signature* (strict DER) of *message* verifies under *public_key* (33 or 65 bytes)."""
    try:
        decode_signature(signature)
    except DerError:
        return False
    is_uncompressed = public_key[:1] == _UNCOMPRESSED_TAG
    # The library would take hybrid keys (tags 6 and 7) too.
    if len(public_key) != (UNCOMPRESSED_BYTES if is_uncompressed else COMPRESSED_BYTES):
        return False
    return _verify(public_key, message, signature)


def _verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """As ``verify_der``; libsecp256k1 itself refuses an r or s out of range, and a high s."""
    try:
        return bool(PublicKey(public_key).verify(signature, message))
    except ValueError:
        return False
