"""Checks of the registry as a whole, in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg

from hub.core.invariants import WITHIN, InvariantViolation
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.registry import schema
from hub.registry.engine import answering, discard, driver_of
from hub.registry.invariants import INVARIANTS, RECENT, counting
from hub.registry.moments import timestamp
from hub.registry.partitions import partition_days
from hub.registry.scopes import LANES, TOPS, window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.time import Timestamp
    from hub.ports.registry import Sweep
    from hub.registry.engine import Database

PARTS: Final = 4
"""One invariant, asked of all records, may take this part of the time for all of them."""
SHORT: Final = Duration(2 * SECOND)
"""For one invariant, asked of a window."""
SHORT_OF_ALL: Final = Duration(10 * SECOND)
BY_KEY: Final = "SET enable_seqscan = off; SET enable_bitmapscan = off"
_MICROSECOND: Final = MILLISECOND // 1000
_NO_TIME: Final = Duration(0)
_GRACE_S: Final = 5
"""What the driver waits longer than the server."""


class PostgresAudit:
    """``hub.ports.registry.Audit`` in Postgres."""

    def __init__(self, database: Database) -> None:
        """The audit of *database*."""
        self._database = database

    async def violations(self, within: Duration = WITHIN) -> Sequence[InvariantViolation]:
        """As the port says."""
        connection = await self._database.connect()
        try:
            with answering():
                driver = await driver_of(connection)
                return await _ask(driver, INVARIANTS, (), Duration(within // PARTS), within)
        finally:
            # Its patience must not become that of others.
            await discard(connection)

    async def recent(self, sweep: Sweep) -> tuple[Sequence[InvariantViolation], Sweep]:
        """As the port says."""
        connection = await self._database.connect()
        try:
            with answering():
                driver = await driver_of(connection)
                tops = await driver.fetch(TOPS, sweep.after, LANES)
                some, after = window(sweep, [(row["lane_id"], row["top"]) for row in tops])
                # By key, whatever the planner believes of a table that grows.
                await driver.execute(BY_KEY)
                arrays = (some.lanes, some.lows, some.highs)
                return await _ask(driver, RECENT, arrays, SHORT, SHORT_OF_ALL), after
        finally:
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


async def _ask(
    driver: Any,
    queries: Mapping[str, str],
    arrays: Sequence[Sequence[int]],
    patience: Duration,
    patience_of_all: Duration,
) -> list[InvariantViolation]:
    """What each of *queries* finds, by name; what takes longer than it may is not finished."""
    found, left = [], int(patience_of_all)
    for name, query in sorted(queries.items()):
        allowed = Duration(min(left, patience))
        try:
            one = await _ask_one(driver, name, query, arrays if "$1" in query else (), allowed)
        except TimeoutError:
            # The server does not end it where it cannot be interrupted: this line is not used on.
            one, left = _unfinished(name, allowed), 0
        left -= one.took
        found.append(one)
    return found


async def _ask_one(
    driver: Any, name: str, query: str, arrays: Sequence[Sequence[int]], allowed: Duration
) -> InvariantViolation:
    if allowed < MILLISECOND:
        return _unfinished(name)
    await driver.execute(f"SET statement_timeout = {allowed // MILLISECOND}")
    try:
        patience_s = allowed / SECOND + _GRACE_S
        row = await driver.fetchrow(counting(query), *arrays, timeout=patience_s)
    except asyncpg.QueryCanceledError:
        return _unfinished(name, allowed)
    took = Duration(row["took"] * _MICROSECOND)
    return InvariantViolation(name, row["count"], tuple(row["samples"]), took)


def _unfinished(name: str, took: Duration = _NO_TIME) -> InvariantViolation:
    return InvariantViolation(name, 0, took=took, is_finished=False)
