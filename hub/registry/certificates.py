"""Invitations, issued certificates and revocations in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert

from hub.core.certificate import Revocation, Revoked
from hub.core.errors import InvitationInvalid, PeerNotFound
from hub.core.ids import PeerId
from hub.ports.caller import Caller
from hub.ports.registry import Change, Topic
from hub.registry.moments import lasting, timestamp
from hub.registry.tables.certificates import certificates, invitations, revocations
from hub.registry.tables.peers import peers
from hub.registry.trail import audit, claim, set_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CursorResult
    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.core.certificate import IssuedCertificate, ShownCertificate
    from hub.core.time import Duration, Timestamp
    from hub.ports.registry import Changes
    from hub.registry.engine import Database
    from hub.registry.records import Row

_OPEN = (invitations.c.serial.is_(None), invitations.c.expires_at > func.clock_timestamp())
_REISSUED = text(
    """
    SELECT c.serial FROM certificates c JOIN (
        SELECT identity, max(revoked_at) AS until FROM revocations
        WHERE identity IS NOT NULL GROUP BY identity
    ) r USING (identity)
    WHERE c.issued_at > r.until
    """
)
_KEY = "hashtextextended('ydhub:revocations', 0)"
_IN_TURN = text(f"SELECT pg_advisory_xact_lock({_KEY})")
"""Every renewal that has begun is recorded, so that a revocation is after it."""
_NOT_MEANWHILE = text(f"SELECT pg_advisory_xact_lock_shared({_KEY})")
"""Until the transaction's end nothing is revoked."""
_EXPIRY = text("SELECT to_timestamp(CAST(:seconds AS bigint))")


class PostgresCertificates:
    """``hub.ports.certificates.Certificates`` in Postgres."""

    def __init__(self, database: Database, changes: Changes) -> None:
        """The certificates of *database*."""
        self._database = database
        self._changes = changes

    async def invite(self, peer: PeerId, digest: bytes, ttl: Duration, by: Caller) -> Timestamp:
        """As the port says."""
        async with self._database.transaction() as connection:
            known = select(peers.c.peer).where(peers.c.peer == peer)
            if (await connection.execute(known)).one_or_none() is None:
                raise PeerNotFound(name=f"peers/{peer}")
            expires_at = func.clock_timestamp() + lasting(ttl)
            made = await connection.execute(
                insert(invitations)
                .values(digest=digest, peer=peer, expires_at=expires_at)
                .returning(invitations.c.expires_at)
            )
            until = timestamp(made.scalar_one())
            await audit(connection, by, "peer.invite", f"peers/{peer}", detail=f"until {until} ns")
        return until

    async def invited(self, digest: bytes) -> PeerId:
        """As the port says."""
        query = select(invitations.c.peer).where(invitations.c.digest == digest, *_OPEN)
        async with self._database.transaction() as connection:
            peer = (await connection.execute(query)).scalar_one_or_none()
        if peer is None:
            raise InvitationInvalid
        return PeerId(peer)

    async def enrol(self, digest: bytes, issued: IssuedCertificate) -> None:
        """As the port says."""
        async with self._database.transaction() as connection:
            await connection.execute(_NOT_MEANWHILE)
            revoked = select(revocations.c.number).where(
                revocations.c.identity == issued.identity,
                revocations.c.revoked_at >= invitations.c.created_at,
            )
            query = select(invitations.c.peer).where(
                invitations.c.digest == digest, *_OPEN, ~revoked.exists()
            )
            peer = (await connection.execute(query.with_for_update())).scalar_one_or_none()
            if peer is None:
                raise InvitationInvalid
            await _record(connection, issued)
            await connection.execute(
                update(invitations)
                .where(invitations.c.digest == digest)
                .values(serial=issued.serial)
            )
            by = Caller(identity=issued.identity)
            detail = f"certificate {issued.serial}"
            await audit(connection, by, "peer.enrol", f"peers/{peer}", detail=detail)
        self._changes.announce(Change(Topic.CERTIFICATES, ""))

    async def renewed(self, issued: IssuedCertificate, shown: ShownCertificate, by: Caller) -> None:
        """As the port says."""
        async with self._database.transaction() as connection:
            await connection.execute(_NOT_MEANWHILE)
            (await _revoked(connection)).check(shown)
            await _record(connection, issued)
            subject = f"certificates/{issued.serial}"
            await audit(connection, by, "certificate.renew", subject, detail=issued.identity)
        self._changes.announce(Change(Topic.CERTIFICATES, ""))

    async def revoke_serial(self, serial: str, cause: str, by: Caller) -> tuple[Revocation, bool]:
        """As the port says."""
        return await self._revoke({"serial": serial}, cause, by)

    async def revoke_identity(
        self, identity: str, cause: str, by: Caller
    ) -> tuple[Revocation, bool]:
        """As the port says."""
        return await self._revoke({"identity": identity}, cause, by)

    async def revoked(self) -> Revoked:
        """As the port says."""
        async with self._database.transaction() as connection:
            return await _revoked(connection)

    async def page(self, after: int, limit: int) -> Sequence[Revocation]:
        """As the port says."""
        query = (
            select(revocations)
            .where(revocations.c.number > after)
            .order_by(revocations.c.number)
            .limit(limit)
        )
        async with self._database.transaction() as connection:
            return [_revocation(row) for row in await connection.execute(query)]

    async def _revoke(
        self, what: dict[str, str], cause: str, by: Caller
    ) -> tuple[Revocation, bool]:
        [subject] = what.values()
        async with self._database.transaction() as connection:
            await connection.execute(_IN_TURN)
            again = await claim(connection, by)
            if again:
                return await _numbered(connection, int(again)), True
            made: CursorResult[Any] = await connection.execute(
                insert(revocations)
                .values(cause=cause, **what)
                .on_conflict_do_nothing()
                .returning(literal_column("number"))
            )
            number: int | None = made.scalar_one_or_none()
            is_new = number is not None
            if number is None:
                same = select(revocations.c.number).where(revocations.c.serial == subject)
                number = (await connection.execute(same)).scalar_one()
            await set_result(connection, by, str(number))
            if is_new:
                await audit(connection, by, "certificate.revoke", subject, detail=cause)
            found = await _numbered(connection, number)
        if is_new:
            self._changes.announce(Change(Topic.CERTIFICATES, ""))
        return found, not is_new


async def _revoked(connection: AsyncConnection) -> Revoked:
    rows = (await connection.execute(revocations.select())).all()
    reissued = (await connection.execute(_REISSUED)).scalars()
    found = [_revocation(row) for row in sorted(rows, key=lambda row: row.number)]
    return Revoked(
        serials={one.serial: one.cause for one in found if one.serial},
        identities={one.identity: (one.revoked_at, one.cause) for one in found if one.identity},
        reissued=frozenset(reissued),
    )


async def _record(connection: AsyncConnection, issued: IssuedCertificate) -> None:
    seconds = issued.expires_at // 1_000_000_000
    expires_at: Any = (await connection.execute(_EXPIRY, {"seconds": seconds})).scalar_one()
    await connection.execute(
        insert(certificates).values(
            serial=issued.serial, identity=issued.identity, expires_at=expires_at
        )
    )


async def _numbered(connection: AsyncConnection, number: int) -> Revocation:
    query = select(revocations).where(revocations.c.number == number)
    return _revocation((await connection.execute(query)).one())


def _revocation(row: Row) -> Revocation:
    return Revocation(
        number=row.number,
        serial=row.serial or "",
        identity=row.identity or "",
        cause=row.cause,
        revoked_at=timestamp(row.revoked_at),
    )
