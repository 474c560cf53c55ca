"""The exchange registry in Postgres, and its upkeep."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from hub.core.errors import RegistryUnreachable
from hub.registry import schema
from hub.registry.audit import PostgresAudit
from hub.registry.certificates import PostgresCertificates
from hub.registry.changes import PostgresChanges
from hub.registry.clients import PostgresClients
from hub.registry.engine import Database
from hub.registry.exceptions import PostgresExceptions
from hub.registry.forwarding import PostgresForwarding
from hub.registry.lanes import PostgresLanes
from hub.registry.leases import PostgresLeases
from hub.registry.outcomes import PostgresOutcomes
from hub.registry.overview import PostgresOverview
from hub.registry.packets import PostgresPackets
from hub.registry.partitions import make_partitions, retire
from hub.registry.peers import PostgresPeers
from hub.registry.recent import RecentFacts
from hub.registry.relayers import PostgresRelayers
from hub.registry.trail import forget
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

_UPKEEP_SECONDS: Final = 3600
_UPKEEP_RETRY_SECONDS: Final = 30


class PostgresRegistry:
    """``hub.ports.registry.Registry`` in Postgres."""

    def __init__(self, database: Database, recent: RecentFacts | None = None) -> None:
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
        self._upkeep: asyncio.Task[None] | None = None

    @classmethod
    async def connect(
        cls, url: str, *, name: str = "ydhub", recent: RecentFacts | None = None
    ) -> Self:
        """The registry in the database at *url*, checked and kept up until ``close``.

        *name* is the program's in the database's list of sessions; *recent* bounds what it keeps
        of its own facts. Raises ``RegistryUnreachable``, ``SchemaVersionMismatch``.
        """
        registry = cls(Database(url, name), recent)
        try:
            async with registry.database.transaction() as connection:
                await schema.check(connection)
            await make_partitions(registry.database)
        except BaseException:
            await registry.database.close()
            raise
        registry._changes.start()
        registry._upkeep = asyncio.create_task(_keep_up(registry.database))
        return registry

    async def retire(self, keep_days: int) -> list[date]:
        """Days before the last *keep_days* whose packets all ended are dropped; returns them.

        What was in them answers ``SequenceRetired``. Raises ``RegistryUnreachable``.
        """
        return await retire(self.database, keep_days)

    async def close(self) -> None:
        """Every connection is closed."""
        if self._upkeep is not None:
            self._upkeep.cancel()
            with suppress(asyncio.CancelledError):
                await self._upkeep
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


async def _keep_up(database: Database) -> None:
    """Every hour there are partitions for a week, and old request ids and attempts are gone."""
    wait = _UPKEEP_SECONDS
    while True:
        await asyncio.sleep(wait)
        wait = _UPKEEP_RETRY_SECONDS
        with suppress(RegistryUnreachable):
            await make_partitions(database)
            async with database.transaction() as connection:
                await forget(connection)
            wait = _UPKEEP_SECONDS
