"""Partitions by day: made ahead, made again when missing, dropped when everything in them ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import RegistryUnreachable, SequenceRetired
from hub.core.ranges import RangeSet
from hub.core.record import OutcomeKind
from hub.registry.partitions import DAYS_AHEAD, make_partitions, partition, retire
from hub.registry.tables import PARTITIONED
from tests.harness.registry import Opened, broken, key_of, opened

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


async def test_a_day_is_dropped_once_everything_in_it_has_ended(postgres: PostgresRegistry) -> None:
    lanes = await live(postgres, 1, 2, 3)
    await age(postgres)
    await lanes.accept(4)
    day = await today(postgres) - timedelta(days=LONG_AGO)
    assert await retire(postgres.database, 30) == [day]
    assert not {partition(table, day) for table in PARTITIONED} & await partitions(postgres)
    assert [p.sequence for p in await postgres.packets.page(lanes.lane, 0, 9)] == [4]
    assert (await lanes.view()).source.done == RangeSet.span(1, 5)
    assert await broken(postgres) == {}
    assert await retire(postgres.database, 30) == []


async def test_what_is_retired_says_so(postgres: PostgresRegistry) -> None:
    lanes = await live(postgres, 1, 2, 3)
    await age(postgres)
    await retire(postgres.database, 30)
    await lanes.accept(4)
    await lanes.settle(4)
    with pytest.raises(SequenceRetired) as caught:
        await postgres.packets.read(lanes.lane, RangeSet.of([3, 4]))
    assert (caught.value.lane, caught.value.sequence) == (key_of().name, 3)
    with pytest.raises(SequenceRetired):
        await postgres.outcomes.find(lanes.lane, RangeSet.of([2]))
    with pytest.raises(SequenceRetired):
        await postgres.outcomes.read(lanes.lane, RangeSet.of([0]))
    assert await postgres.packets.read(lanes.lane, RangeSet.of([5])) == []
    assert len(await postgres.packets.read(lanes.lane, RangeSet.of([4]))) == 1
    assert len(await postgres.outcomes.read(lanes.lane, RangeSet.of([3, 4]))) == 1


async def test_recent_days_are_kept(postgres: PostgresRegistry) -> None:
    await live(postgres, 1)
    await age(postgres, 20)
    assert await retire(postgres.database, 30) == []
    assert await retire(postgres.database, 20) == []
    assert len(await retire(postgres.database, 19)) == 1


async def unsettled(lanes: Opened) -> None:
    await lanes.accept(9)
    await drop_timeouts(lanes)


async def uncompleted(lanes: Opened) -> None:
    await lanes.accept(9)
    await lanes.settle(9)
    await drop_timeouts(lanes)


async def waiting(lanes: Opened) -> None:
    await lanes.accept(9)
    await lanes.settle(9)
    indexes = RangeSet.of([1])
    await lanes.registry.outcomes.record_completed(lanes.source, lanes.lane, indexes)


@pytest.mark.parametrize("leave", [unsettled, uncompleted, waiting])
async def test_a_day_with_anything_left_to_do_is_kept_and_all_after_it(
    postgres: PostgresRegistry, leave: object
) -> None:
    lanes = await live(postgres, 1)
    await leave(lanes)  # type: ignore[operator]
    await age(postgres, LONG_AGO)
    assert await retire(postgres.database, 30) == []
    assert len(await postgres.packets.page(lanes.lane, 0, 9)) == 2


async def test_a_straggler_that_is_closed_in_its_row_keeps_its_day(
    postgres: PostgresRegistry,
) -> None:
    lanes = await opened(postgres)
    sequences = range(1, 201)
    await lanes.accept(*sequences)
    await lanes.settle(*sequences)
    for index in range(1, 200, 2):
        one = RangeSet.of([index])
        await postgres.outcomes.record_completed(lanes.source, lanes.lane, one)
    rest = RangeSet.of(range(2, 200, 2))
    await postgres.outcomes.record_completed(lanes.source, lanes.lane, rest)
    await drop_timeouts(lanes)
    await age(postgres)
    assert await retire(postgres.database, 30) == []
    await postgres.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([0]))
    assert len(await retire(postgres.database, 30)) == 1


async def test_what_others_settled_is_owed_nothing(postgres: PostgresRegistry) -> None:
    lanes = await opened(postgres)
    await lanes.accept(1)
    await lanes.settle(1, 7, kind=OutcomeKind.SETTLED_ELSEWHERE)
    await drop_timeouts(lanes)
    await age(postgres)
    assert len(await retire(postgres.database, 30)) == 1
    assert await broken(postgres) == {}


async def test_retiring_gives_way_to_a_writer(postgres: PostgresRegistry) -> None:
    lanes = await live(postgres, 1)
    await age(postgres)
    async with postgres.database.line() as line, line.transaction():
        await line.execute("LOCK TABLE packets IN ROW EXCLUSIVE MODE")
        with pytest.raises(RegistryUnreachable):
            await postgres.retire(30)
    assert len(await postgres.packets.page(lanes.lane, 0, 9)) == 1
    assert len(await postgres.retire(30)) == 1


async def test_days_ahead_are_counted_to_the_first_gap(
    postgres: PostgresRegistry,
) -> None:
    assert await postgres.audit.partition_days() == DAYS_AHEAD
    missing = partition("outcomes", await today(postgres) + timedelta(days=3))
    async with postgres.database.line() as line:
        await line.execute(f"DROP TABLE {missing}")
    assert await postgres.audit.partition_days() == 2
