"""A rehearsal's past and counters, in Postgres alone: the twin in memory has no disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.ranges import RangeSet
from hub.registry.rehearsal import PROOF, Rehearsal
from tests.harness.registry import (
    HANGZHOU,
    SUZHOU,
    add_headers,
    header,
    open_lanes,
    opened,
    register,
)

if TYPE_CHECKING:
    from hub.registry.registry import PostgresRegistry

PACKETS = 2 * PROOF + 3


async def test_a_past_is_packets_that_all_ended_and_breaks_nothing(
    postgres: PostgresRegistry,
) -> None:
    made = await opened(postgres)
    lane = made.lanes[0]
    for fence in made.fences.values():
        await add_headers(postgres, fence, [header(1)])  # the anchor's, in a bench
    await Rehearsal(postgres.database).add_past([lane.lane_id], PACKETS)
    view = await postgres.lanes.view(lane.lane_id)
    assert view.source.done == view.destination.done == RangeSet.span(1, PACKETS + 1)
    assert view.source.progress == RangeSet.span(0, PACKETS)
    assert view.destination.outcome_count == PACKETS
    assert view.is_settled
    stored = await postgres.packets.page(lane.lane_id, PACKETS - 2, 10)
    assert [packet.sequence for packet in stored] == [PACKETS - 1, PACKETS]
    broken = [entry for entry in await postgres.audit.violations() if entry.count]
    assert broken == []


async def test_counters_rise_and_the_server_is_named(postgres: PostgresRegistry) -> None:
    rehearsal = Rehearsal(postgres.database)
    before = await rehearsal.use()
    await register(postgres, HANGZHOU, SUZHOU)
    lane, _ = await open_lanes(postgres)
    await rehearsal.add_past([lane.lane_id], 1000)
    after = await rehearsal.use()
    assert after["wal"] - before["wal"] > 1000 * 500
    assert after["size"] > before["size"]
    assert set(after) == {
        "wal", "transactions", "size", "table_bytes", "dead_bytes", "changing_bytes", "updates",
        "hot_updates",
    }  # fmt: skip
    version, backend = await rehearsal.server()
    assert version.split(".")[0].isdigit()
    assert backend > 1
