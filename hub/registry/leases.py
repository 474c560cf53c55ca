"""Leases in Postgres, by the database's clock.

Taking a lease raises the epoch in the peer's row and in both rows' own sides of its lanes, in one
transaction: from its commit on, no statement of an earlier owner finds a row to write. Statements
that run still at that moment are of sessions that the lease names; they are ended first, because
they hold locks that the taker needs. A lease whose session has no connection left at the server is
over before its time: its process has died. Where the names of another role's sessions are hidden
(without ``pg_read_all_stats``) nobody is taken for dead, and the lease ends with its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, text, update

from hub.core.errors import LeaseLost, PeerNotFound
from hub.ports.leases import Fence, Lease
from hub.registry.moments import lasting, timestamp
from hub.registry.tables.peers import leases, peers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.core.ids import PeerId
    from hub.core.time import Duration
    from hub.registry.engine import Database

_END_WAIT_MS = 1000
_NOBODY = "-"
"""No session has this name."""

_STANDING = text(
    """
    SELECT owner IS NOT NULL AND owner <> :owner AND expires_at > clock_timestamp() AS is_held,
        session, session = '' OR EXISTS (
            SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND (
                application_name = leases.session
                OR (application_name IS NULL AND usesysid IS NOT NULL)
            )
        ) AS is_alive
    FROM leases WHERE peer = :peer
    """
)
_END_SESSION = text(
    f"""
    SELECT pg_terminate_backend(pid, {_END_WAIT_MS}) FROM pg_stat_activity
    WHERE application_name = :session AND xact_start IS NOT NULL
        AND wait_event IS DISTINCT FROM 'SyncRep'
        AND datname = current_database() AND pid <> pg_backend_pid()
    """  # noqa: S608 - a constant of ours
)
_TAKE = text(
    """
    INSERT INTO leases AS l (peer, epoch, owner, session, expires_at)
    VALUES (:peer, 1, :owner, :session, clock_timestamp() + :ttl)
    ON CONFLICT (peer) DO UPDATE SET
        epoch = l.epoch + 1, owner = excluded.owner, session = excluded.session,
        attached = false, expires_at = clock_timestamp() + :ttl
        WHERE l.owner IS NULL OR l.owner = excluded.owner OR l.expires_at <= clock_timestamp()
            OR l.session = :dead
    RETURNING epoch
    """
)
_RENEW_ALL = """
WITH held AS (
    SELECT l.peer FROM leases l
    JOIN unnest($1::text[], $2::bigint[]) AS f (peer, epoch)
        ON f.peer = l.peer AND f.epoch = l.epoch
    WHERE l.owner IS NOT NULL ORDER BY l.peer FOR NO KEY UPDATE OF l
)
UPDATE leases l
SET expires_at = clock_timestamp() + $3::interval, attached = true, session = $4
FROM held WHERE l.peer = held.peer
RETURNING l.peer, l.epoch
"""
"""One statement, no transaction around it: whoever writes under a lease waits for its row, and
so for no answer that is on its way to a relayer far from the database."""
_RELEASE = text(
    """
    UPDATE leases SET
        epoch = epoch + 1, owner = NULL, session = '', attached = false,
        expires_at = clock_timestamp()
    WHERE peer = :peer AND epoch = :epoch
    RETURNING epoch
    """
)
_FENCE_ROWS = text(
    """
    WITH own AS (
        SELECT s.lane_id, s.side FROM lane_sides s JOIN lanes l USING (lane_id)
        WHERE s.peer = :peer AND (l.source_peer = :peer OR l.destination_peer = :peer)
        ORDER BY s.lane_id, s.side FOR NO KEY UPDATE OF s
    )
    UPDATE lane_sides s SET epoch = :epoch FROM own
    WHERE s.lane_id = own.lane_id AND s.side = own.side
    """
)


async def _hold(connection: AsyncConnection, peer: PeerId) -> bool:
    """Whether there is *peer*; no lane of it is opened meanwhile, which locks it too."""
    lock = select(peers.c.peer).where(peers.c.peer == peer).with_for_update(read=True)
    return (await connection.execute(lock)).scalar_one_or_none() is not None


class PostgresLeases:
    """``hub.ports.leases.Leases`` in Postgres."""

    def __init__(self, database: Database) -> None:
        """The leases of *database*."""
        self._database = database

    async def acquire(self, peer: PeerId, owner: str, ttl: Duration) -> Fence | None:
        """As the port says."""
        dead = await self._end_session_before(peer, owner)
        if dead is None:
            return None
        async with self._database.transaction() as connection:
            if not await _hold(connection, peer):
                raise PeerNotFound(name=f"peers/{peer}")
            values = {
                "peer": peer,
                "owner": owner,
                "session": self._database.session,
                "ttl": lasting(ttl),
                "dead": dead,
            }
            epoch = (await connection.execute(_TAKE, values)).scalar_one_or_none()
            if epoch is None:
                return None
            await connection.execute(_FENCE_ROWS, {"peer": peer, "epoch": epoch})
        return Fence(peer, epoch)

    async def renew(self, fence: Fence, ttl: Duration, *, attached: bool) -> None:
        """As the port says."""
        async with self._database.transaction() as connection:
            renewed = await connection.execute(
                update(leases)
                .where(
                    leases.c.peer == fence.peer,
                    leases.c.epoch == fence.epoch,
                    leases.c.owner.is_not(None),
                )
                .values(
                    expires_at=func.clock_timestamp() + lasting(ttl),
                    attached=attached,
                    session=self._database.session,
                )
            )
        if renewed.rowcount == 0:
            raise LeaseLost(peer=fence.peer, epoch=fence.epoch)

    async def renew_all(self, fences: Sequence[Fence], ttl: Duration) -> Sequence[Fence]:
        """As the port says."""
        peers, epochs = [fence.peer for fence in fences], [fence.epoch for fence in fences]
        session = self._database.session
        async with self._database.line() as line:
            rows = await line.fetch(_RENEW_ALL, peers, epochs, lasting(ttl), session)
        held = {(row["peer"], row["epoch"]) for row in rows}
        return [fence for fence in fences if (fence.peer, fence.epoch) not in held]

    async def release(self, fence: Fence) -> None:
        """As the port says."""
        async with self._database.transaction() as connection:
            await _hold(connection, fence.peer)
            values = {"peer": fence.peer, "epoch": fence.epoch}
            epoch = (await connection.execute(_RELEASE, values)).scalar_one_or_none()
            if epoch is not None:
                # A task of the owner that still runs writes nothing any more.
                await connection.execute(_FENCE_ROWS, {"peer": fence.peer, "epoch": epoch})

    async def all(self) -> Sequence[Lease]:
        """As the port says."""
        query = (
            select(leases)
            .where(leases.c.owner.is_not(None), leases.c.expires_at > func.clock_timestamp())
            .order_by(leases.c.peer)
        )
        async with self._database.transaction() as connection:
            return [
                Lease(
                    peer=row.peer,
                    owner=row.owner,
                    epoch=row.epoch,
                    attached=row.attached,
                    expires_at=timestamp(row.expires_at),
                )
                for row in await connection.execute(query)
            ]

    async def _end_session_before(self, peer: PeerId, owner: str) -> str | None:
        """None while another's lease lives; else the session that it names holds no lock.

        That session is returned where it is gone and its lease is not over: the process has died.
        """
        async with self._database.transaction() as connection:
            standing = await connection.execute(_STANDING, {"peer": peer, "owner": owner})
            lease = standing.one_or_none()
            if lease is None:
                return _NOBODY
            if lease.is_held:
                return None if lease.is_alive else str(lease.session)
            if lease.session not in {"", self._database.session}:
                await connection.execute(_END_SESSION, {"session": lease.session})
        return _NOBODY


async def check_lease(connection: AsyncConnection, fence: Fence) -> None:
    """*fence* is its peer's newest until the transaction ends. Raises ``LeaseLost``."""
    lock = (
        select(leases.c.epoch)
        .where(leases.c.peer == fence.peer, leases.c.epoch == fence.epoch)
        .with_for_update(read=True)
    )
    if (await connection.execute(lock)).scalar_one_or_none() is None:
        raise LeaseLost(peer=fence.peer, epoch=fence.epoch)
