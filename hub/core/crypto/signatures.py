"""One interface for every signature scheme, and the schemes that are built in.

Source: RFC 8032; SEC 1; the module of each scheme.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from hub.core.crypto import ed25519, p256, secp256k1

if TYPE_CHECKING:
    from collections.abc import Mapping


class SignatureScheme(Protocol):
    """A way to tell whether a message was signed."""

    def verify(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """*signature* of *message* verifies under *public_key*; total, it never raises."""
        ...


SCHEMES: Final[Mapping[str, SignatureScheme]] = MappingProxyType(
    {"ed25519": ed25519, "p256": p256, "secp256k1": secp256k1}
)
"""By name. Each takes one form of key and signature: see its ``verify``."""
