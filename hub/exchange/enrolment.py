"""Give cities their adapters' certificates, renew anyone's, and revoke.

A one-time token stands for an administrator's word that whoever shows it is the peer's operator;
the hub keeps only its hash. What a certificate request says of its owner is never believed.

Source: design section 6 (identity); RFC 7030 in spirit (enrolment over server-authenticated TLS).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from hub.core.errors import FieldInvalid, IssuerMissing
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub.core.certificate import IssuedCertificate, Revocation, ShownCertificate
    from hub.core.ids import PeerId
    from hub.core.time import Timestamp
    from hub.ports.caller import Caller
    from hub.ports.issuer import Issuer
    from hub.ports.registry import Registry

SHORTEST: Final = Duration(60 * SECOND)
LONGEST: Final = Duration(7 * 24 * 3600 * SECOND)
MAX_TOKEN: Final = 128
"""Characters that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Who signs, and for which identities."""

    registry: Registry
    issuer: Issuer | None
    trust_domain: str

    async def invite(self, peer: PeerId, token: str, ttl: Duration, by: Caller) -> Timestamp:
        """*token*, which nobody has seen yet, enrols *peer* once; until when (ns).

        Raises ``IssuerMissing``, ``FieldInvalid``, ``PeerNotFound``.
        """
        self._issuer()
        if not SHORTEST <= ttl <= LONGEST:
            raise FieldInvalid(field="ttl", problem="is not between 1 minute and 7 days")
        return await self.registry.certificates.invite(peer, _digest(token), ttl, by)

    async def enrol(
        self, token: str, request: bytes, now: Timestamp, identity_of: Callable[[PeerId], str]
    ) -> IssuedCertificate:
        """The certificate of the peer that *token* was made for, which is spent.

        Raises ``IssuerMissing``, ``InvitationInvalid``, ``FieldInvalid``.
        """
        issuer, digest = self._issuer(), _digest(token)
        peer = await self.registry.certificates.invited(digest)
        issued = issuer.issue(request, identity_of(peer), now)
        await self.registry.certificates.enrol(digest, issued)
        return issued

    async def renew(
        self, shown: ShownCertificate, pem: bytes, request: bytes, now: Timestamp, by: Caller
    ) -> IssuedCertificate:
        """A certificate like the one *shown* (its *pem*), of the same identity, for another key.

        Raises ``IssuerMissing``, ``FieldInvalid``, ``CertificateRevoked``.
        """
        issued = self._issuer().issue(request, by.identity, now, like=pem)
        await self.registry.certificates.renewed(issued, shown, by)
        return issued

    def _issuer(self) -> Issuer:
        if self.issuer is None:
            raise IssuerMissing(trust_domain=self.trust_domain)
        return self.issuer


async def revoke(
    registry: Registry, serial: str, identity: str, cause: str, by: Caller
) -> tuple[Revocation, bool]:
    """The revocation of *serial*, or where that is empty of *identity*; whether it stood before.

    Raises ``RequestIdReused``.
    """
    if serial:
        return await registry.certificates.revoke_serial(serial, cause, by)
    return await registry.certificates.revoke_identity(identity, cause, by)


async def page(registry: Registry, after: int, limit: int) -> tuple[Sequence[Revocation], bool]:
    """At most *limit* revocations above the number *after*, and whether there are more."""
    found = await registry.certificates.page(after, limit + 1)
    return found[:limit], len(found) > limit


def _digest(token: str) -> bytes:
    return sha256(token[:MAX_TOKEN].encode()).digest()
