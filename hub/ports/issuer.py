"""Who signs certificates for the hub, if anyone does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hub.core.certificate import IssuedCertificate
    from hub.core.time import Timestamp


class Issuer(Protocol):
    """Signs keys that others have made and keep."""

    def issue(
        self, request: bytes, identity: str, now: Timestamp, *, like: bytes = b""
    ) -> IssuedCertificate:
        """A certificate of *identity* for the key that *request*, a PKCS #10 in DER, is signed by.

        What it may be used for, and the names of its machine, are those of the certificate *like*
        (PEM) where one is given; else it may call, and not serve. Raises ``FieldInvalid`` for a
        request that is no such thing, is not signed by its key, or has a key that is not used.
        """
        ...
