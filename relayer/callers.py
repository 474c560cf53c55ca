"""Who is at the other end of each session: known by the certificate, as long as that counts.

Source: design section 6 (identity; revocation without a restart); reliability notes section 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import CertificateExpired, CertificateRevoked
from hub.wire.identity.shown import shown_certificate
from hub.wire.identity.spiffe import caller

if TYPE_CHECKING:
    from hub.core.certificate import ShownCertificate
    from hub.core.ids import PeerId
    from hub.exchange.revocations import Revocations
    from hub.wire.identity.spiffe import Connection
    from relayer.session import Session


class Callers:
    """The callers of one relayer's sessions."""

    def __init__(self, revocations: Revocations, trust_domain: str) -> None:
        """Believes *trust_domain* alone."""
        self._revocations = revocations
        self._trust_domain = trust_domain
        self._shown: dict[Session, ShownCertificate] = {}
        revocations.on_change(self._look)

    def admit(self, connection: Connection) -> PeerId:
        """The peer whose adapter calls.

        Raises ``CredentialsMissing``, ``IdentityNotAllowed``, ``CertificateRevoked`` or
        ``CertificateExpired``.
        """
        peer, shown = self._read(connection)
        self._revocations.check(shown)
        return peer

    def attend(self, session: Session, connection: Connection) -> None:
        """*session* ends as soon as its certificate counts no more, also where it does already."""
        _, shown = self._read(connection)
        self._shown[session] = shown
        self._end_if_over(session)

    def leave(self, session: Session) -> None:
        """*session* is over."""
        self._shown.pop(session, None)

    def _read(self, connection: Connection) -> tuple[PeerId, ShownCertificate]:
        identity = caller(connection, self._trust_domain)
        return identity.peer(), shown_certificate(connection, identity)

    def _look(self) -> None:
        for session in list(self._shown):
            self._end_if_over(session)

    def _end_if_over(self, session: Session) -> None:
        try:
            self._revocations.check(self._shown[session])
        except (CertificateRevoked, CertificateExpired) as error:
            session.end(error)
