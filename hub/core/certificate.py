"""Certificates as the hub judges them: who is shown, and whether it counts any more.

A chain of trust is TLS's own business, once, when a connection begins. Here it is decided whether a
certificate that TLS has taken counts still: its time may be over by now, or it was revoked
meanwhile, by its serial number, or with all that its identity had by then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hub.core.errors import CertificateExpired, CertificateRevoked, FieldInvalid
from hub.core.time import whole_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.core.time import Timestamp

MAX_SERIAL: Final = 40
"""Hexadecimal digits: 20 octets. Source: RFC 5280, 4.1.2.2."""

_SERIAL = re.compile(rf"[1-9a-f][0-9a-f]{{0,{MAX_SERIAL - 1}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCertificate:
    """What is judged of a certificate that a caller shows."""

    serial: str
    """In lower-case hexadecimal, without leading zeros."""
    identity: str
    """Its SPIFFE URI."""
    not_before: Timestamp
    not_after: Timestamp
    """The last second in which it counts."""

    def check(self, now: Timestamp) -> None:
        """Its time is not over at *now*. Raises ``CertificateExpired``.

        Source: RFC 5280, 4.1.2.5 (valid through notAfter, inclusive).
        """
        if whole_seconds(now) > whole_seconds(self.not_after):
            raise CertificateExpired(
                serial=self.serial, identity=self.identity, expired_at=self.not_after
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """A certificate that the hub has signed."""

    serial: str
    identity: str
    expires_at: Timestamp
    chain: tuple[bytes, ...]
    """DER of the certificate, then of the CAs above it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Certificates that count no more: one serial, or all of an identity until then."""

    number: int
    serial: str
    """Empty for an identity."""
    identity: str
    """Empty for a serial."""
    cause: str
    revoked_at: Timestamp


@dataclass(frozen=True, slots=True)
class Revoked:
    """Everything that is revoked, ready to be looked up."""

    serials: Mapping[str, str] = field(default_factory=dict)
    """Why, by serial."""
    identities: Mapping[str, tuple[Timestamp, str]] = field(default_factory=dict)
    """Until when, and why, by identity."""
    reissued: frozenset[str] = frozenset()
    """Serials that the hub issued to a revoked identity after that."""

    def check(self, shown: ShownCertificate) -> None:
        """*shown* counts still. Raises ``CertificateRevoked``.

        A new certificate of a revoked identity counts: issued by the hub afterwards, or valid only
        from a later time.
        """
        cause = self.serials.get(shown.serial)
        if cause is None and shown.serial not in self.reissued:
            until, why = self.identities.get(shown.identity, (None, ""))
            if until is not None and shown.not_before <= until:
                cause = why
        if cause is not None:
            raise CertificateRevoked(serial=shown.serial, identity=shown.identity, cause=cause)


def parse_serial(text: str) -> str:
    """The serial number *text* spells in hexadecimal, colons allowed. Raises ``FieldInvalid``."""
    serial = text.replace(":", "").lower().lstrip("0")
    if _SERIAL.fullmatch(serial) is None:
        raise FieldInvalid(field="serial", problem=f"is not up to {MAX_SERIAL} hexadecimal digits")
    return serial
