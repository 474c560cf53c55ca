"""Relayer processes, in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from hub.core.errors import RelayerNotFound
from hub.core.relayer import ALIVE_WITHIN, Relayer
from hub.ports.registry import Change, Topic
from hub.registry.moments import lasting, timestamp
from hub.registry.trail import audit, claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.ports.caller import Caller
    from hub.registry.changes import PostgresChanges
    from hub.registry.engine import Database

_SHOWN: Final = """
    SELECT r.*, r.heartbeat_at + CAST(:alive AS interval) > clock_timestamp() AS is_alive,
        (
            SELECT count(*) FROM leases l
            WHERE l.owner = r.relayer AND l.expires_at > clock_timestamp()
        ) AS sessions
    FROM relayers r
"""
_ALL: Final = text(f"{_SHOWN} ORDER BY r.relayer")
_ONE: Final = text(f"{_SHOWN} WHERE r.relayer = :relayer")
_BEGIN: Final = text(
    """
    INSERT INTO relayers AS r (relayer, address, version) VALUES (:relayer, :address, :version)
    ON CONFLICT (relayer) DO UPDATE SET
        address = excluded.address, version = excluded.version,
        started_at = clock_timestamp(), heartbeat_at = clock_timestamp()
    """
)
_BEAT: Final = text("UPDATE relayers SET heartbeat_at = clock_timestamp() WHERE relayer = :relayer")
_END: Final = text(
    """
    UPDATE relayers SET heartbeat_at = clock_timestamp() - CAST(:alive AS interval)
    WHERE relayer = :relayer
    """
)
_TURN: Final = text(
    """
    UPDATE relayers SET is_draining = :is_draining, revision = revision + 1
    WHERE relayer = :relayer AND is_draining <> :is_draining RETURNING revision
    """
)


class PostgresRelayers:
    """``hub.ports.relayers.Relayers`` in Postgres."""

    def __init__(self, database: Database, changes: PostgresChanges) -> None:
        """The relayers of *database*; *changes* hears who begins, ends and drains."""
        self._database = database
        self._changes = changes

    async def begin(self, relayer: str, address: str, version: str) -> Relayer:
        """As the port says."""
        values = {"relayer": relayer, "address": address, "version": version}
        async with self._database.transaction() as connection:
            await connection.execute(_BEGIN, values)
            found = await _read(connection, relayer)
        self._changes.announce(Change(Topic.RELAYERS, relayer))
        return found

    async def beat(self, relayer: str) -> Relayer:
        """As the port says."""
        async with self._database.transaction() as connection:
            await connection.execute(_BEAT, {"relayer": relayer})
            return await _read(connection, relayer)

    async def end(self, relayer: str) -> None:
        """As the port says."""
        async with self._database.transaction() as connection:
            await connection.execute(_END, {"relayer": relayer, "alive": lasting(ALIVE_WITHIN)})
        self._changes.announce(Change(Topic.RELAYERS, relayer))

    async def all(self) -> Sequence[Relayer]:
        """As the port says."""
        async with self._database.transaction() as connection:
            rows = await connection.execute(_ALL, {"alive": lasting(ALIVE_WITHIN)})
            return [_relayer(row) for row in rows]

    async def get(self, relayer: str) -> Relayer:
        """As the port says."""
        async with self._database.transaction() as connection:
            return await _read(connection, relayer)

    async def drain(self, relayer: str, cause: str, by: Caller) -> bool:
        """As the port says."""
        return await self._turn(relayer, cause, by, is_draining=True)

    async def undrain(self, relayer: str, cause: str, by: Caller) -> bool:
        """As the port says."""
        return await self._turn(relayer, cause, by, is_draining=False)

    async def _turn(self, relayer: str, cause: str, by: Caller, *, is_draining: bool) -> bool:
        async with self._database.transaction() as connection:
            found = await _read(connection, relayer)
            if await claim(connection, by) is not None:
                return True
            values = {"relayer": relayer, "is_draining": is_draining}
            revision = (await connection.execute(_TURN, values)).scalar_one_or_none()
            if revision is None:
                return True
            action = "relayer.drain" if is_draining else "relayer.undrain"
            await audit(connection, by, action, found.name, revision=revision, detail=cause)
        self._changes.announce(Change(Topic.RELAYERS, relayer))
        return False


async def _read(connection: AsyncConnection, relayer: str) -> Relayer:
    values = {"relayer": relayer, "alive": lasting(ALIVE_WITHIN)}
    row = (await connection.execute(_ONE, values)).one_or_none()
    if row is None:
        raise RelayerNotFound(name=f"relayers/{relayer}")
    return _relayer(row)


def _relayer(row: Any) -> Relayer:
    return Relayer(
        relayer=row.relayer,
        address=row.address,
        version=row.version,
        started_at=timestamp(row.started_at),
        heartbeat_at=timestamp(row.heartbeat_at),
        is_alive=row.is_alive,
        is_draining=row.is_draining,
        sessions=row.sessions,
        revision=row.revision,
    )
