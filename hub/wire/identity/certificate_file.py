"""What the certificate in a file says, for its owner: whose it is, and how long it counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509

from hub.core.certificate import ShownCertificate
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Timestamp
from hub.wire.identity.shown import serial_of

if TYPE_CHECKING:
    import os
    from datetime import datetime

_MAX_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFile:
    """What a certificate in a file says."""

    serial: str
    identity: str
    """Its URI; empty where it has not exactly one."""
    issuer: str
    not_before: Timestamp
    not_after: Timestamp

    @property
    def renews_at(self) -> Timestamp:
        """When two thirds of its life are over."""
        return Timestamp(self.not_before + (self.not_after - self.not_before) * 2 // 3)

    def check(self, now: Timestamp) -> None:
        """Its time is not over at *now*. Raises ``CertificateExpired``."""
        shown = ShownCertificate(
            serial=self.serial,
            identity=self.identity,
            not_before=self.not_before,
            not_after=self.not_after,
        )
        shown.check(now)


def read_certificate(file: str | os.PathLike[str]) -> CertificateFile:
    """What the first certificate in *file* says. Raises ``FieldInvalid``."""
    try:
        with Path(file).open("rb") as stream:
            found = x509.load_pem_x509_certificate(stream.read(_MAX_BYTES))
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(file), problem=problem) from error
    except ValueError as error:
        raise FieldInvalid(field=str(file), problem="holds no certificate") from error
    return CertificateFile(
        serial=serial_of(found),
        identity=_identity(found),
        issuer=found.issuer.rfc4514_string(),
        not_before=_moment(found.not_valid_before_utc),
        not_after=_moment(found.not_valid_after_utc),
    )


def _identity(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    found = names.get_values_for_type(x509.UniformResourceIdentifier)
    return found[0] if len(found) == 1 else ""


def _moment(at: datetime) -> Timestamp:
    return Timestamp(int(at.timestamp()) * SECOND)
