"""One partition a day for packets, proofs and outcomes, by the database's date.

They are made a week ahead, at the start of every program and hourly. They are dropped from the
oldest day on, a whole day at a time: when every packet of it has ended at both chains and no
timeout waits for one, the day's packets, outcomes and proofs go together, and its sequences are
``retired``.

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
_PATIENCE_SECONDS: Final = 600
_RETIRE_LIMITS: Final = f"""
SET LOCAL statement_timeout = '{_PATIENCE_SECONDS}s';
-- Dropping waits for writers, and writers wait behind it: rather not now than long.
SET LOCAL lock_timeout = '200ms';
"""
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('ydhub:partitions', 0))"

_OPEN: Final = """
SELECT EXISTS (
    SELECT FROM packets p
    LEFT JOIN outcomes o USING (lane_id, sequence)
    JOIN lane_sides s ON s.lane_id = p.lane_id AND s.side = 'SOURCE'
    WHERE p.day = $1 AND (
        o.outcome_index IS NULL
        OR (o.kind <> 'SETTLED_ELSEWHERE' AND (
            NOT s.progress @> o.outcome_index
            OR EXISTS (
                SELECT FROM closed_holes h
                WHERE h.lane_id = p.lane_id AND h.side = 'SOURCE' AND h.kind = 'PROGRESS'
                    AND o.outcome_index >= h.low AND o.outcome_index < h.high
            )
        ))
        OR EXISTS (
            SELECT FROM timeout_batches t
            WHERE t.lane_id = p.lane_id AND p.sequence BETWEEN t.first AND t.last
        )
    )
) OR EXISTS (
    SELECT FROM outcomes o JOIN packets p USING (lane_id, sequence)
    WHERE o.day = $1 AND p.day > $1
)
"""
_NOTE: Final = """
INSERT INTO retired AS r (lane_id, sequences, settled, indexes)
SELECT lane_id, coalesce(range_agg(sequences), '{}'), coalesce(range_agg(settled), '{}'),
    coalesce(range_agg(indexes), '{}')
FROM (
    SELECT lane_id, int8range(sequence, sequence + 1) AS sequences, NULL::int8range AS settled,
        NULL::int8range AS indexes
    FROM packets WHERE day = $1
    UNION ALL
    SELECT lane_id, NULL, int8range(sequence, sequence + 1),
        int8range(outcome_index, outcome_index + 1)
    FROM outcomes WHERE day = $1
) gone
GROUP BY lane_id
ON CONFLICT (lane_id) DO UPDATE SET
    sequences = r.sequences + excluded.sequences, settled = r.settled + excluded.settled,
    indexes = r.indexes + excluded.indexes
"""


async def make_partitions(database: Database) -> None:
    """Every day from yesterday to a week ahead has its partitions. Raises as ``line``."""
    async with database.line() as line:
        today = await line.fetchval("SELECT current_date")
        days = [today + timedelta(days=ahead) for ahead in range(-1, DAYS_AHEAD + 1)]
        names = [partition(table, day) for day in days for table in PARTITIONED]
        standing = await line.fetch("SELECT relname FROM pg_class WHERE relname = ANY($1)", names)
        missing = set(names) - {row["relname"] for row in standing}
        for day in days:
            for table in PARTITIONED:
                if partition(table, day) in missing:
                    async with line.transaction():
                        await line.execute(_LOCK)
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


async def retire(database: Database, keep_days: int) -> list[date]:
    """Days before the last *keep_days* are dropped while all of theirs has ended; returns them.

    The first day that must stay keeps all later ones too. Raises ``RegistryUnreachable``, also
    where writers leave it no moment: then it is tried again later.
    """
    gone: list[date] = []
    async with database.line() as line:
        oldest_kept = await line.fetchval("SELECT current_date - $1::integer", keep_days)
        rows = await line.fetch(
            "SELECT relid::regclass::text AS name FROM pg_partition_tree('packets') WHERE isleaf"
        )
        days = sorted(_day(row["name"]) for row in rows)
        for day in days:
            if day >= oldest_kept:
                break
            async with line.transaction():
                await line.execute(_RETIRE_LIMITS)
                await line.execute(_LOCK)
                if await line.fetchval(_OPEN, day, timeout=_PATIENCE_SECONDS):
                    break
                await line.execute(_NOTE, day, timeout=_PATIENCE_SECONDS)
                dropped = ", ".join([partition(table, day) for table in PARTITIONED])
                await line.execute(f"DROP TABLE {dropped}")
            gone.append(day)
    return gone


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


def _day(name: str) -> date:
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
