"""One partition a day for packets, proofs and outcomes, by the database's date.

They are made a week ahead, at the start of every program and hourly; retention.py drops them.

Source: design section 5.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import asyncpg

from hub.registry.tables import PARTITIONED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub.registry.engine import Database

T = TypeVar("T")

DAYS_AHEAD: Final = 7
_KEY: Final = "hashtextextended('ydhub:partitions', 0)"
LOCK: Final = f"SELECT pg_advisory_xact_lock({_KEY})"
"""Until the transaction's end nobody else makes a day, drops one, or opens a packet again."""
LOCK_SHARED: Final = f"SELECT pg_advisory_xact_lock_shared({_KEY})"
"""Until the transaction's end nobody makes a day or drops one."""


async def make_partitions(database: Database) -> None:
    """Every day from yesterday to a week ahead has its partitions. Raises as ``line``."""
    async with database.line() as line:
        today = database.today = await line.fetchval("SELECT current_date")
        days = [today + timedelta(days=ahead) for ahead in range(-1, DAYS_AHEAD + 1)]
        names = [partition(table, day) for day in days for table in PARTITIONED]
        standing = await line.fetch("SELECT relname FROM pg_class WHERE relname = ANY($1)", names)
        missing = set(names) - {row["relname"] for row in standing}
        for day in days:
            for table in PARTITIONED:
                if partition(table, day) in missing:
                    async with line.transaction():
                        await line.execute(LOCK)
                        await line.execute(_making(table, day))


async def partition_days(database: Database) -> int:
    """Days after today, without a gap, that have all their partitions. Raises as ``look``."""
    async with database.look() as line:
        today = await line.fetchval("SELECT current_date")
        days = [today + timedelta(days=ahead) for ahead in range(1, DAYS_AHEAD + 1)]
        names = [partition(table, day) for day in days for table in PARTITIONED]
        rows = await line.fetch("SELECT relname FROM pg_class WHERE relname = ANY($1)", names)
    standing = {row["relname"] for row in rows}
    whole = [standing.issuperset(partition(table, day) for table in PARTITIONED) for day in days]
    return [*whole, False].index(False)


async def with_partitions(database: Database, attempt: Callable[[], Awaitable[T]]) -> T:
    """What *attempt* returns; made again if the day had no partition, as after a clock's jump."""
    try:
        return await attempt()
    except asyncpg.CheckViolationError as error:
        if error.constraint_name:
            raise
        await make_partitions(database)
        return await attempt()


def partition(table: str, day: date) -> str:
    """The name of the table's partition of *day*."""
    return f"{table}_{day:%Y%m%d}"


def day_of(name: str) -> date:
    """The day of the partition of that name."""
    digits = name.rpartition("_")[2]
    return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))


def _making(table: str, day: date) -> str:
    """The statements that make a partition; attached, so that writers of the table do not wait."""
    name, after = partition(table, day), day + timedelta(days=1)
    kept = "DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE"
    return f"""
    CREATE TABLE IF NOT EXISTS {name} (
        LIKE {table} INCLUDING {kept},
        CONSTRAINT day_of_{name} CHECK (day >= '{day}' AND day < '{after}')
    );
    DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = '{name}'::regclass) THEN
            ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{day}') TO ('{after}');
            CREATE TRIGGER not_emptied BEFORE TRUNCATE ON {name} EXECUTE FUNCTION refuse();
        END IF;
    END $$;
    ALTER TABLE {name} DROP CONSTRAINT IF EXISTS day_of_{name};
    """  # noqa: S608 - our tables and dates
