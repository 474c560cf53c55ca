"""Partitions by day: made ahead, made again when missing, dropped when everything in them ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from hub.core.ranges import RangeSet
from hub.registry.partitions import DAYS_AHEAD, make_partitions, partition
from hub.registry.tables import PARTITIONED
from tests.harness.registry import Opened, broken, opened

if TYPE_CHECKING:
    from datetime import date

    from hub.registry.registry import PostgresRegistry

LONG_AGO = 40
"""Days."""


async def today(postgres: PostgresRegistry) -> date:
    async with postgres.database.line() as line:
        found: date = await line.fetchval("SELECT current_date")
        return found


async def partitions(postgres: PostgresRegistry) -> set[str]:
    async with postgres.database.line() as line:
        rows = await line.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
            " WHERE inhparent = ANY($1::text[]::regclass[])",
            list(PARTITIONED),
        )
    return {row["name"] for row in rows}


async def age(postgres: PostgresRegistry, days: int = LONG_AGO) -> None:
    """Every fact is that many days older than it is; as time passes, by hand."""
    async with postgres.database.line() as line:
        day = await line.fetchval("SELECT current_date - $1::integer", days)
        for table in PARTITIONED:
            await line.execute(
                f"CREATE TABLE IF NOT EXISTS {partition(table, day)} PARTITION OF {table}"
                f" FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
            )
        async with line.transaction():
            await line.execute("SET LOCAL session_replication_role = replica")
            for table in PARTITIONED:
                await line.execute(f"UPDATE {table} SET day = $1 WHERE day > $1", day)  # noqa: S608


async def live(postgres: PostgresRegistry, *sequences: int) -> Opened:
    """A lane whose packets of *sequences* have lived their whole life."""
    lanes = await opened(postgres)
    await lanes.accept(*sequences)
    await lanes.settle(*sequences)
    indexes = RangeSet.span(0, len(sequences))
    await postgres.outcomes.record_completed(lanes.source, lanes.lane, indexes)
    await drop_timeouts(lanes)
    return lanes


async def drop_timeouts(lanes: Opened) -> None:
    due = await lanes.registry.packets.due_timeouts(lanes.lane, 2**62, 100)
    moves = [(batch, None) for batch in due]
    await lanes.registry.packets.move_timeouts(lanes.destination, moves)


async def test_a_week_stands_ahead(postgres: PostgresRegistry) -> None:
    now = await today(postgres)
    days = [now + timedelta(days=ahead) for ahead in range(-1, DAYS_AHEAD + 1)]
    assert await partitions(postgres) == {partition(t, day) for day in days for t in PARTITIONED}


async def test_making_them_again_changes_nothing_and_may_be_done_by_many_at_once(
    postgres: PostgresRegistry,
) -> None:
    before = await partitions(postgres)
    async with postgres.database.line() as line:
        for name in sorted(before)[:5]:
            await line.execute(f"DROP TABLE {name}")
    await asyncio.gather(*[make_partitions(postgres.database) for _ in range(4)])
    assert await partitions(postgres) == before


async def test_a_day_without_partitions_gets_them_when_facts_come(
    postgres: PostgresRegistry,
) -> None:
    """As after the clock jumped, or after a week in which nothing ran."""
    lanes = await opened(postgres)

    async def forget_today() -> None:
        async with postgres.database.line() as line:
            day = await line.fetchval("SELECT current_date")
            for table in PARTITIONED:
                await line.execute(f"DROP TABLE {partition(table, day)}")

    await forget_today()
    await lanes.accept(1, 2)
    async with postgres.database.line() as line:
        day = await line.fetchval("SELECT current_date")
        await line.execute(f"DROP TABLE {partition('outcomes', day)}")
    await lanes.settle(1)
    assert await broken(postgres) == {}


async def test_a_partition_keeps_the_rules_of_its_table(postgres: PostgresRegistry) -> None:
    lanes = await opened(postgres)
    await lanes.accept(1)
    async with postgres.database.line() as line:
        name = partition("packets", await line.fetchval("SELECT current_date"))
        triggers = await line.fetch(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = $1::text::regclass", name
        )
        checks = await line.fetch(
            "SELECT conname FROM pg_constraint WHERE conrelid = $1::text::regclass", name
        )
    assert {row["tgname"] for row in triggers} == {"append_only", "not_emptied"}
    assert {row["conname"] for row in checks} >= {"ck_packets_numbers", "ck_packets_content"}


async def test_facts_of_any_age_are_read(postgres: PostgresRegistry) -> None:
    lanes = await live(postgres, 1, 2, 3)
    await age(postgres)
    await lanes.accept(4)
    await lanes.settle(4)
    packets = await postgres.packets.read(lanes.lane, RangeSet.span(1, 9))
    assert [packet.sequence for packet in packets] == [1, 2, 3, 4]
    proofs = await postgres.packets.proofs([packet.proof_id for packet in packets])
    assert set(proofs) == {packet.proof_id for packet in packets}
    outcomes = await postgres.outcomes.read(lanes.lane, RangeSet.span(0, 9))
    assert [outcome.sequence for outcome in outcomes] == [1, 2, 3, 4]
    assert len(await postgres.packets.page(lanes.lane, 0, 10)) == 4
    assert await broken(postgres) == {}


async def test_days_ahead_are_counted_to_the_first_gap(
    postgres: PostgresRegistry,
) -> None:
    assert await postgres.audit.partition_days() == DAYS_AHEAD
    missing = partition("outcomes", await today(postgres) + timedelta(days=3))
    async with postgres.database.line() as line:
        await line.execute(f"DROP TABLE {missing}")
    assert await postgres.audit.partition_days() == 2
