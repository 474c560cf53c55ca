"""Invitations, issued certificates and revocations in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.certificate import Revocation, Revoked
from hub.core.errors import InvitationInvalid
from hub.core.time import Timestamp
from hub.ports.registry import Topic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.certificate import IssuedCertificate, ShownCertificate
    from hub.core.ids import PeerId
    from hub.core.time import Duration
    from hub.ports.caller import Caller
    from hub.registry.memory.state import State


@dataclass(slots=True)
class _Invitation:
    peer: PeerId
    created_at: Timestamp
    expires_at: Timestamp
    serial: str = ""


class MemoryCertificates:
    """``hub.ports.certificates.Certificates`` in memory."""

    def __init__(self, state: State) -> None:
        """The certificates of *state*."""
        self._state = state
        self._invitations: dict[bytes, _Invitation] = {}
        self._issued: dict[str, tuple[str, Timestamp]] = {}
        """Identity, and when, by serial."""
        self._revocations: list[Revocation] = []

    async def invite(self, peer: PeerId, digest: bytes, ttl: Duration, by: Caller) -> Timestamp:
        """As the port says."""
        name = self._state.peer(peer).name
        now = self._state.now()
        until = Timestamp(now + ttl)
        self._invitations[digest] = _Invitation(peer, now, until)
        self._state.audit(by.identity, "peer.invite", name, 1, f"until {until} ns")
        return until

    async def invited(self, digest: bytes) -> PeerId:
        """As the port says."""
        return self._open(digest).peer

    async def enrol(self, digest: bytes, issued: IssuedCertificate) -> None:
        """As the port says."""
        found = self._open(digest)
        revoked = [one for one in self._revocations if one.identity == issued.identity]
        if any(one.revoked_at >= found.created_at for one in revoked):
            raise InvitationInvalid
        found.serial = issued.serial
        name = f"peers/{found.peer}"
        self._record(issued, issued.identity, "peer.enrol", name, f"certificate {issued.serial}")

    async def renewed(self, issued: IssuedCertificate, shown: ShownCertificate, by: Caller) -> None:
        """As the port says."""
        (await self.revoked()).check(shown)
        subject = f"certificates/{issued.serial}"
        self._record(issued, by.identity, "certificate.renew", subject, issued.identity)

    async def revoke_serial(self, serial: str, cause: str, by: Caller) -> tuple[Revocation, bool]:
        """As the port says."""
        return self._revoke(serial, "", cause, by)

    async def revoke_identity(
        self, identity: str, cause: str, by: Caller
    ) -> tuple[Revocation, bool]:
        """As the port says."""
        return self._revoke("", identity, cause, by)

    async def revoked(self) -> Revoked:
        """As the port says."""
        identities = {
            one.identity: (one.revoked_at, one.cause) for one in self._revocations if one.identity
        }
        return Revoked(
            serials={one.serial: one.cause for one in self._revocations if one.serial},
            identities=identities,
            reissued=frozenset(
                serial
                for serial, (identity, at) in self._issued.items()
                if identity in identities and at > identities[identity][0]
            ),
        )

    async def page(self, after: int, limit: int) -> Sequence[Revocation]:
        """As the port says."""
        return [one for one in self._revocations if one.number > after][:limit]

    def _open(self, digest: bytes) -> _Invitation:
        found = self._invitations.get(digest)
        if found is None or found.serial or found.expires_at <= self._state.now():
            raise InvitationInvalid
        return found

    def _record(
        self, issued: IssuedCertificate, author: str, action: str, subject: str, detail: str
    ) -> None:
        self._issued[issued.serial] = (issued.identity, self._state.now())
        self._state.audit(author, action, subject, 1, detail)
        self._state.announce(Topic.CERTIFICATES, "")

    def _revoke(
        self, serial: str, identity: str, cause: str, by: Caller
    ) -> tuple[Revocation, bool]:
        state = self._state
        again = state.repeated(by)
        if again is not None:
            return self._revocations[int(again.result) - 1], True
        same = next((one for one in self._revocations if serial and one.serial == serial), None)
        if same is not None:
            state.carried_out(by, str(same.number))
            return same, True
        made = Revocation(
            number=len(self._revocations) + 1,
            serial=serial,
            identity=identity,
            cause=cause,
            revoked_at=state.now(),
        )
        self._revocations.append(made)
        state.carried_out(by, str(made.number))
        state.audit(by.identity, "certificate.revoke", serial or identity, 1, cause)
        state.announce(Topic.CERTIFICATES, "")
        return made, False
