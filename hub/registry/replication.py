"""Whether a synchronous standby has every commit, and whether another server was promoted.

Where an address names several servers, each is looked at every second: so a promotion is known
before anybody's question to the old primary is over. Where the operator demands a synchronous
standby, nothing is asked or changed while there is none; what people look at they still see.

Source: reliability notes section 7.3 (R6, R7).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog

from hub.core.errors import HubError, RegistryUnreachable, StandbyMissing

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.registry.engine import Database

LOOK_SECONDS: Final = 1
_ANSWER_SECONDS: Final = 2
STANDBYS: Final = """
SELECT current_setting('synchronous_standby_names') AS names,
    count(*) FILTER (WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')) AS synchronous,
    count(*) FILTER (WHERE state = 'streaming') AS streaming,
    count(*) FILTER (WHERE pid IS NOT NULL AND state IS NULL) AS hidden
FROM pg_stat_replication
"""
"""Hidden are those whose state a role without ``pg_read_all_stats`` is not shown."""

_FAILURES: Final = (HubError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

_log = structlog.get_logger()


class ReplicationGuard:
    """Looks at the servers of one registry, on connections of its own."""

    def __init__(self, database: Database, *, demands_standby: bool) -> None:
        """Nothing is looked at yet."""
        self._database = database
        self._servers = database.servers
        self._demands = demands_standby
        self._connections: dict[int, Any] = {}
        self._servers.on_promotion = self._promoted
        self.on_promotion: Callable[[], None] = _nobody
        """Called once another server is the primary."""

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to look at."""
        return self._demands or self._servers.count > 1

    async def run(self) -> None:
        """Looks every second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """What is promoted, and whether a standby has everything, is known now."""
        if self._servers.count > 1:
            await asyncio.gather(*map(self._look_at, range(self._servers.count)))
        if self._demands:
            self._refuse(await self._problem())

    async def close(self) -> None:
        """Its connections are closed."""
        while self._connections:
            self._connections.popitem()[1].terminate()

    async def _look_at(self, number: int) -> None:
        """A server that was promoted is the primary from now on; any other makes no difference."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                found = await self._servers.identity(await self._connection(number))
        except _FAILURES:
            self._drop(number)
            return
        newest = self._servers.newest
        if newest is None or found.is_standby or found.timeline <= newest.timeline:
            return
        try:
            self._servers.admit(number, found)
        except HubError as error:
            _log.warning("database_refused", reason=error.reason, detail=str(error))

    async def _problem(self) -> HubError | None:
        """Why nothing is to be accepted; None if a standby has every commit."""
        number = self._servers.primary
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                if number is None:
                    (await self._servers.connect()).terminate()
                    number = self._servers.primary or 0
                found = await (await self._connection(number)).fetchrow(STANDBYS)
        except _FAILURES as error:
            if number is not None:
                self._drop(number)
            return RegistryUnreachable(problem=type(error).__name__)
        problem = standby_problem(found)
        return StandbyMissing(problem=problem) if problem else None

    def _refuse(self, error: HubError | None) -> None:
        before, self._database.refusal = self._database.refusal, error
        if error is not None and (before is None or before.reason is not error.reason):
            _log.warning("registry_degraded", reason=error.reason, detail=str(error))
        elif error is None and before is not None:
            _log.info("registry_whole", server=self._servers.name(self._servers.primary or 0))

    def _promoted(self) -> None:
        self.on_promotion()
        if not self._demands:
            return
        problem = "nobody has looked at the promoted server yet"
        self._refuse(StandbyMissing(problem=problem))

    async def _connection(self, number: int) -> Any:
        connection = self._connections.get(number)
        if connection is None or connection.is_closed():
            connection = self._connections[number] = await self._servers.open(number)
        return connection

    def _drop(self, number: int) -> None:
        connection = self._connections.pop(number, None)
        if connection is not None:
            connection.terminate()


def standby_problem(found: Any) -> str:
    """Why no standby has every commit, by the row of ``STANDBYS``; empty if one has."""
    if found["synchronous"]:
        return ""
    if not found["names"]:
        return "synchronous_standby_names is empty"
    if found["hidden"]:
        return "GRANT pg_read_all_stats to this role: it is not shown what standbys do"
    return f"{found['streaming']} standbys stream, none of them synchronously"


def _nobody() -> None:
    """Nobody listens."""
