"""What is judged of the certificate that a caller shows, read from the connection itself."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography import x509

from hub.core.certificate import ShownCertificate
from hub.core.errors import CredentialsMissing
from hub.core.time import SECOND, Timestamp

if TYPE_CHECKING:
    from hub.wire.identity.spiffe import Connection, SpiffeId

KEPT: Final = 256
"""Certificates that are read already; each caller shows its own for hours."""


def shown_certificate(context: Connection, identity: SpiffeId) -> ShownCertificate:
    """The certificate of the caller, whose *identity* is read already.

    Raises ``CredentialsMissing`` where the connection shows none.
    """
    found = list(context.auth_context().get("x509_pem_cert", ()))
    if len(found) != 1:
        raise CredentialsMissing(trust_domain=identity.trust_domain)
    serial, begin, end = _read(found[0], identity.trust_domain)
    return ShownCertificate(serial=serial, identity=str(identity), not_before=begin, not_after=end)


def serial_of(certificate: x509.Certificate) -> str:
    """The serial number as the hub writes it."""
    return format(certificate.serial_number, "x")


@lru_cache(KEPT)
def _read(pem: bytes, trust_domain: str) -> tuple[str, Timestamp, Timestamp]:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CredentialsMissing(trust_domain=trust_domain) from error
    begin = int(certificate.not_valid_before_utc.timestamp())
    end = int(certificate.not_valid_after_utc.timestamp())
    return serial_of(certificate), Timestamp(begin * SECOND), Timestamp(end * SECOND)
