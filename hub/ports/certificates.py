"""What the registry remembers of invitations, of issued certificates, and of revoked ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.certificate import IssuedCertificate, Revocation, Revoked, ShownCertificate
    from hub.core.ids import PeerId
    from hub.core.time import Duration, Timestamp
    from hub.ports.caller import Caller


class Certificates(Protocol):
    """Invitations by the hash of their token, certificates by serial, revocations by number."""

    async def invite(self, peer: PeerId, digest: bytes, ttl: Duration, by: Caller) -> Timestamp:
        """A token with that SHA-256 enrols *peer* once, for *ttl* (ns); until when.

        Raises ``PeerNotFound``.
        """
        ...

    async def invited(self, digest: bytes) -> PeerId:
        """Whom a token enrols that is neither spent nor expired. Raises ``InvitationInvalid``."""
        ...

    async def enrol(self, digest: bytes, issued: IssuedCertificate) -> None:
        """The token is spent for *issued*, which is recorded; only one of two at once succeeds.

        A token from before a revocation of that identity enrols nobody. Raises
        ``InvitationInvalid``.
        """
        ...

    async def renewed(self, issued: IssuedCertificate, shown: ShownCertificate, by: Caller) -> None:
        """*issued*, for whoever has *shown* a certificate that counts still, is recorded.

        A revocation at the same time comes before it or after it: it refuses *shown*, or takes
        *issued* too. Raises ``CertificateRevoked``.
        """
        ...

    async def revoke_serial(self, serial: str, cause: str, by: Caller) -> tuple[Revocation, bool]:
        """The certificate counts no more; the revocation, and whether it stood before.

        Raises ``RequestIdReused``.
        """
        ...

    async def revoke_identity(
        self, identity: str, cause: str, by: Caller
    ) -> tuple[Revocation, bool]:
        """All that *identity* has by now counts no more; the revocation, and whether it was asked.

        The same request before is meant. Raises ``RequestIdReused``.
        """
        ...

    async def revoked(self) -> Revoked:
        """Everything that is revoked."""
        ...

    async def page(self, after: int, limit: int) -> Sequence[Revocation]:
        """At most *limit* revocations above the number *after*, in order."""
        ...
