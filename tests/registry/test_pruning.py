"""What a packet costs does not grow with the days behind: hot statements name few partitions."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.ranges import RangeSet
from hub.registry import outcomes, packets, statements
from hub.registry.partitions import partition
from hub.registry.tables import PARTITIONED
from tests.harness.registry import opened

if TYPE_CHECKING:
    from hub.registry.registry import PostgresRegistry

DAYS = 30
"""Behind, each with its partitions."""
WRITES = ("ACCEPT", "ACCEPT_LOCKED", "RECORD", "RECORD_LOCKED", "DELIVERED", "COMPLETED")
SWEEPS = ("MOVE_TIMEOUTS", "DROP_ENDED_TIMEOUTS")
READS = {
    "packets": packets._READ,
    "proofs": packets._PROOFS,
    "outcomes": outcomes._READ,
    "outcomes by sequence": outcomes._FIND,
}


async def long_past(postgres: PostgresRegistry) -> None:
    async with postgres.database.line() as line:
        today = postgres.database.today
        for back in range(2, DAYS):
            day = today - timedelta(days=back)
            for table in PARTITIONED:
                await line.execute(
                    f"CREATE TABLE {partition(table, day)} PARTITION OF {table}"
                    f" FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
                )


async def named(postgres: PostgresRegistry, statement: str) -> tuple[set[str], bool]:
    """Partitions in the statement's generic plan, and whether more are pruned as it begins."""
    count = max(int(number) for number in re.findall(r"\$(\d+)", statement))
    async with postgres.database.line() as line, line.transaction():
        await line.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await line.execute(f"PREPARE hot AS {statement}")
        asked = ", ".join(["NULL"] * count)
        plan = await line.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE hot ({asked})")
        await line.execute("DEALLOCATE hot")
    found = re.findall(r"\b(?:packets|outcomes|proofs)_\d{8}\b", json.dumps(plan))
    return set(found), _removes(plan)


def _removes(plan: Any) -> bool:
    """Whether a plan holds partitions that are thrown out at each execution."""
    if isinstance(plan, list):
        return any(_removes(part) for part in plan)
    if isinstance(plan, dict):
        if plan.get("Subplans Removed", 0):
            return True
        return any(_removes(part) for part in plan.values())
    return False


@pytest.mark.parametrize("name", [*WRITES, *SWEEPS])
async def test_what_writes_names_no_partition(postgres: PostgresRegistry, name: str) -> None:
    await long_past(postgres)
    assert await named(postgres, getattr(statements, name)) == (set(), False)


@pytest.mark.parametrize("what", READS)
async def test_what_reads_names_the_newest_days_alone(
    postgres: PostgresRegistry, what: str
) -> None:
    await long_past(postgres)
    today, table = postgres.database.today, what.partition(" ")[0]
    newest = {partition(table, today + timedelta(days=day)) for day in (-1, 0, 1)}
    assert await named(postgres, READS[what].recent(today)) == (newest, False)
    others, _ = await named(postgres, READS[what].others(today))
    assert len(others) >= DAYS - 2


async def test_a_date_that_is_wrong_costs_a_second_question_and_no_fact(
    postgres: PostgresRegistry,
) -> None:
    lanes = await opened(postgres)
    await lanes.accept(1, 2)
    await lanes.settle(1, 2)
    for days in (-9, -1, 0, 1, 9):
        postgres.database.today += timedelta(days=days)
        found = await postgres.packets.read(lanes.lane, RangeSet.span(1, 3))
        assert [packet.sequence for packet in found] == [1, 2]
        assert len(await postgres.packets.proofs([found[0].proof_id])) == 1
        assert len(await postgres.outcomes.read(lanes.lane, RangeSet.span(0, 2))) == 2
        assert len(await postgres.outcomes.find(lanes.lane, RangeSet.span(1, 3))) == 2


async def test_a_lanes_rows_are_updated_in_place(postgres: PostgresRegistry) -> None:
    """No update of a narrow row writes an index: all of them are HOT."""
    lanes = await opened(postgres)
    for sequence in range(1, 151):
        await lanes.accept(sequence)
        await lanes.settle(sequence)
        one = RangeSet.of([sequence])
        await postgres.outcomes.record_delivered(lanes.destination, lanes.lane, one)
        index = RangeSet.of([sequence - 1])
        await postgres.outcomes.record_completed(lanes.source, lanes.lane, index)
    async with postgres.database.line() as line:
        await line.execute("SELECT pg_stat_force_next_flush()")
        row = await line.fetchrow(
            "SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot, pg_relation_size(relid) AS size"
            " FROM pg_stat_user_tables WHERE relname = 'lane_sides'"
        )
    assert row["updates"] >= 400
    assert row["hot"] == row["updates"]
    assert row["size"] <= 8 * 8192
    view = await lanes.view()
    assert (len(view.source.done.ranges), len(view.destination.done.ranges)) == (1, 1)
