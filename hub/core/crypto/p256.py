"""ECDSA over P-256 with SHA-256; signatures in strict DER, as Fabric and X.509 carry them.

Source: FIPS 186-5; SEC 1 section 2.3; Hyperledger Fabric bccsp/utils/ecdsa.go (low s).
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from hub.core.codec.der import DerError, decode_signature

ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group, a prime; n in SEC 2 section 2.4.2."""

_SECP256R1 = SECP256R1()
_ECDSA = ECDSA(SHA256())


def verify(public_key: bytes, message: bytes, signature: bytes, *, low_s: bool = False) -> bool:
    """*signature* (strict DER) of *message* verifies under *public_key* (33 or 65 bytes).

    With *low_s* an s above half the group's order is refused, for every such signature has a twin.
    OpenSSL refuses numbers out of range, and keys that are no points.
    """
    try:
        _, s = decode_signature(signature)
    except DerError:
        return False
    if low_s and s > ORDER // 2:
        return False
    try:
        key = EllipticCurvePublicKey.from_encoded_point(_SECP256R1, public_key)
        key.verify(signature, message, _ECDSA)
    except (ValueError, InvalidSignature):
        return False
    return True
