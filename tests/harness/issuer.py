"""A hub's issuing CA in files, and certificate requests for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.cli.keys import make_key, request_for
from hub.wire.identity.issuing import IssuingAuthority

if TYPE_CHECKING:
    from tests.harness.certificates import Certificates

DAYS = 30


def issuer_of(certificates: Certificates, days: int = DAYS) -> IssuingAuthority:
    """The development authority signs for the hub."""
    cert_file = certificates.directory / "ca.crt"
    key_file = certificates.directory / "issuer.key"
    secret = certificates.authority.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key_file.write_bytes(secret)
    return IssuingAuthority.open(cert_file, key_file, days)


def a_request() -> bytes:
    """A request for a fresh key."""
    return request_for(make_key())
