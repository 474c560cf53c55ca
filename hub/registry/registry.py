"""The exchange registry in Postgres, and its upkeep."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

import asyncpg
import structlog

from hub.core.errors import DatabaseUnfit, RegistryUnreachable
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.ports.registry import Change, Topic
from hub.registry import schema
from hub.registry.audit import PostgresAudit
from hub.registry.certificates import PostgresCertificates
from hub.registry.changes import PostgresChanges
from hub.registry.clients import PostgresClients
from hub.registry.engine import AWAY, Database
from hub.registry.exceptions import PostgresExceptions
from hub.registry.forwarding import PostgresForwarding
from hub.registry.lanes import PostgresLanes
from hub.registry.leases import PostgresLeases
from hub.registry.outcomes import PostgresOutcomes
from hub.registry.overview import PostgresOverview
from hub.registry.packets import PostgresPackets
from hub.registry.peers import PostgresPeers
from hub.registry.recent import RecentFacts
from hub.registry.relayers import PostgresRelayers
from hub.registry.replication import ReplicationGuard
from hub.registry.retention import retire
from hub.registry.upkeep import keep_up, prepare
from hub.registry.watching import PostgresWatching

if TYPE_CHECKING:
    from datetime import date
    from types import TracebackType

    from hub.ports.certificates import Certificates
    from hub.ports.clients import Clients
    from hub.ports.forwarding import Forwarding
    from hub.ports.lanes import Lanes
    from hub.ports.leases import Leases
    from hub.ports.overview import Overview
    from hub.ports.packets import Exceptions, Outcomes, Packets
    from hub.ports.peers import Peers
    from hub.ports.registry import Audit, Changes
    from hub.ports.relayers import Relayers
    from hub.ports.watching import Watching

_WRONG: Final = (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError)
FIRST_WAIT: Final = Duration(SECOND // 4)
LONGEST_WAIT: Final = Duration(5 * SECOND)

_log = structlog.get_logger()


class PostgresRegistry:
    """``hub.ports.registry.Registry`` in Postgres."""

    def __init__(
        self,
        database: Database,
        recent: RecentFacts | None = None,
        *,
        demands_standby: bool = False,
    ) -> None:
        """The registry in *database*; ``connect`` makes one that runs."""
        self.database = database
        self._changes = PostgresChanges(database)
        self.peers: Peers = PostgresPeers(database, self._changes)
        self.clients: Clients = PostgresClients(database, self._changes)
        self.leases: Leases = PostgresLeases(database)
        self.lanes: Lanes = PostgresLanes(database, self._changes)
        self._recent = recent if recent is not None else RecentFacts()
        self.packets: Packets = PostgresPackets(database, self._changes, self._recent)
        self.outcomes: Outcomes = PostgresOutcomes(database, self._changes, self._recent)
        self.exceptions: Exceptions = PostgresExceptions(database, self._changes)
        self.changes: Changes = self._changes
        self.audit: Audit = PostgresAudit(database)
        self.certificates: Certificates = PostgresCertificates(database, self._changes)
        self.overview: Overview = PostgresOverview(database)
        self.watching: Watching = PostgresWatching(database)
        self.relayers: Relayers = PostgresRelayers(database, self._changes)
        self.forwarding: Forwarding = PostgresForwarding(database, self._changes)
        self._guard = ReplicationGuard(database, demands_standby=demands_standby)
        self._guard.on_promotion = self._promoted
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        name: str = "ydhub",
        recent: RecentFacts | None = None,
        demands_standby: bool = False,
    ) -> Self:
        """The registry in the database at *url*, checked and kept up until ``close``.

        *name* is the program's in the database's list of sessions; *recent* bounds what it keeps
        of its own facts; with *demands_standby* nothing is accepted while no synchronous standby
        has it. Raises ``DatabaseUnfit``, ``SchemaVersionMismatch``; ``RegistryUnreachable``,
        ``CommitUnknown``, ``StandbyMissing``, ``TimelineOutdated``.
        """
        registry = cls(Database(url, name), recent, demands_standby=demands_standby)
        try:
            await registry._begin()
        except RegistryUnreachable as error:
            await registry.close()
            raise registry._told(error) from error
        except BaseException:
            await registry.close()
            raise
        return registry

    async def _begin(self) -> None:
        async with self.database.look() as line:
            await line.fetchval("SELECT 1")
        await self._guard.look()
        async with self.database.transaction() as connection:
            await schema.check(connection)
        await prepare(self.database)
        self._changes.start()
        self._tasks.append(asyncio.create_task(keep_up(self.database)))
        if self._guard.is_needed:
            self._tasks.append(asyncio.create_task(self._guard.run()))

    def _told(self, error: RegistryUnreachable) -> RegistryUnreachable | DatabaseUnfit:
        """*error*, or what no waiting mends."""
        if self.database.servers.is_lone_standby:
            return DatabaseUnfit(got="in_recovery=on", expected="in_recovery=off")
        if isinstance(error.__cause__, _WRONG):
            expected = "a database and a role that are there, and a password that is right"
            return DatabaseUnfit(got=error.problem, expected=expected)
        return error

    def _promoted(self) -> None:
        """Everybody in this process hears that another server is the primary; nothing is known."""
        self._recent.forget()
        self._changes.announce_here(Change(Topic.PROMOTED, ""))

    async def retire(self, keep_days: int, by: str) -> list[date]:
        """Days before the last *keep_days* whose packets all ended are dropped; returns them.

        What was in them answers ``SequenceRetired``. Raises ``RegistryUnreachable``.
        """
        return await retire(self.database, keep_days, by)

    async def close(self) -> None:
        """Every connection is closed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._guard.close()
        await self._changes.close()
        await self.database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


async def awaited(url: str, *, name: str, demands_standby: bool) -> PostgresRegistry:
    """The registry at *url*, as ``PostgresRegistry.connect``; waited for while it is away.

    Raises ``DatabaseUnfit`` or ``SchemaVersionMismatch``: no waiting mends them.
    """
    wait = FIRST_WAIT
    while True:
        try:
            return await PostgresRegistry.connect(url, name=name, demands_standby=demands_standby)
        except AWAY as error:
            _log.warning(
                "registry_awaited",
                reason=error.reason,
                detail=str(error),
                again_in_ms=wait // MILLISECOND,
            )
        await asyncio.sleep(wait / SECOND)
        wait = min(Duration(2 * wait), LONGEST_WAIT)
