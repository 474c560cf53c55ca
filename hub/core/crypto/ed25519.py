"""Ed25519, by two rules: strict, and as CometBFT chains accept it.

``verify`` is strict: libsodium alone, which refuses points of small order and encodings that are
not canonical. ``verify_zip215`` accepts what ZIP-215 accepts, as CometBFT's validators do, so that
none of them can stall a client with a signature that its chain counts. All that libsodium accepts
ZIP-215 accepts too; only what libsodium refuses goes to the slow check, and the number of those is
the caller's to bound.

Source: RFC 8032; ZIP-215; CometBFT crypto/ed25519 (curve25519-voi, VerifyOptionsZIP_215).
"""

from __future__ import annotations

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from hub.core.crypto import zip215
from hub.core.crypto.zip215 import KEY_BYTES, SIGNATURE_BYTES
from hub.core.errors import LimitExceeded


class SlowChecks:
    """How many slow checks one piece of work may still cost; for one caller, not for threads."""

    __slots__ = ("limit", "spent")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0

    def spend(self) -> None:
        """One more slow check is made. Raises ``LimitExceeded``."""
        if self.spent >= self.limit:
            raise LimitExceeded(
                what="slow signature checks", count=self.spent + 1, limit=self.limit
            )
        self.spent += 1


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """*signature* (64 bytes) of *message* verifies under *public_key* (32 bytes), strictly."""
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        return False
    return True


def verify_zip215(public_key: bytes, message: bytes, signature: bytes, slow: SlowChecks) -> bool:
    """*signature* (64 bytes) of *message* verifies under *public_key* (32 bytes) by ZIP-215.

    Raises ``LimitExceeded`` when *slow* is spent; nothing else, for any bytes.
    """
    if len(public_key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    if not zip215.has_canonical_scalar(signature):
        return False
    if verify(public_key, message, signature):
        return True
    slow.spend()
    return zip215.verify(public_key, message, signature)
