"""Checks of the registry as a whole, in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.ports.registry import InvariantViolation
from hub.registry import schema
from hub.registry.engine import answering, discard, driver_of
from hub.registry.invariants import INVARIANTS, counting
from hub.registry.moments import timestamp
from hub.registry.partitions import partition_days

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.time import Timestamp
    from hub.registry.engine import Database

_PATIENCE_SECONDS = 60
_PATIENCE = f"SET statement_timeout = '{_PATIENCE_SECONDS}s'"


class PostgresAudit:
    """``hub.ports.registry.Audit`` in Postgres."""

    def __init__(self, database: Database) -> None:
        """The audit of *database*."""
        self._database = database

    async def violations(self) -> Sequence[InvariantViolation]:
        """As the port says."""
        connection = await self._database.connect()
        try:
            driver = await driver_of(connection)
            await driver.execute(_PATIENCE)
            found = []
            for name, query in sorted(INVARIANTS.items()):
                row = await driver.fetchrow(counting(query), timeout=_PATIENCE_SECONDS)
                found.append(InvariantViolation(name, row["count"], row["sample"] or ""))
            return found
        finally:
            # Its patience must not become that of others.
            await discard(connection)

    async def schema_revision(self) -> str:
        """As the port says."""
        with answering():
            connection = await self._database.connect()
            try:
                return await schema.revision(connection)
            finally:
                await connection.close()

    async def clock(self) -> Timestamp:
        """As the port says."""
        async with self._database.look() as line:
            return timestamp(await line.fetchval("SELECT clock_timestamp()"))

    async def ready(self) -> None:
        """As the port says."""
        async with self._database.line() as line:
            await line.fetchval("SELECT 1")

    async def partition_days(self) -> int:
        """As the port says."""
        return await partition_days(self._database)
