from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.lane import LaneState
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind
from tests.harness.registry import ADMIN, HANGZHOU, SEQUENCES, SUZHOU, key_of, opened
from tests.registry.test_exceptions import parked, retry

if TYPE_CHECKING:
    from hub.ports.registry import Registry
    from hub.registry.registry import PostgresRegistry


async def test_a_lane_at_rest_waits_for_nothing(registry: Registry) -> None:
    lanes = await opened(registry)
    found = await registry.overview.lanes()
    assert [one.key for one in found] == [key_of(), key_of().reverse]
    await lanes.accept(1, 2)
    await lanes.settle(1, 2)
    await registry.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([0, 1]))
    here = (await registry.overview.lanes())[0]
    assert (here.accepted_count, here.outcome_count, here.completed_count) == (2, 2, 2)
    assert here.oldest_open_at is here.oldest_owed_at is None
    assert (here.exceptions, here.hole_count, here.state) == ((), 0, LaneState.OPEN)


async def test_the_oldest_of_what_waits_is_found(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2)
    await lanes.accept(3, 4, 6)
    await registry.outcomes.record_delivered(lanes.destination, lanes.lane, RangeSet.of([1, 3]))
    await lanes.settle(1)
    await lanes.settle(2, 3)
    await registry.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([0]))
    here = (await registry.overview.lanes())[0]
    assert (here.accepted_count, here.delivered_count) == (5, 2)
    assert (here.outcome_count, here.completed_count, here.hole_count) == (3, 1, 1)
    assert (here.open_count, here.owed_count) == (2, 2)
    [four] = await registry.packets.read(lanes.lane, RangeSet.of([4]))
    [second] = await registry.outcomes.read(lanes.lane, RangeSet.of([1]))
    assert here.oldest_open_at == four.accepted_at
    assert here.oldest_owed_at == second.recorded_at


async def test_exceptions_are_counted_by_kind_with_the_oldest(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, 4, denied=[4])
    await registry.exceptions.put(lanes.source, lanes.lane, [parked(2)])
    await registry.exceptions.put(lanes.source, lanes.lane, [parked(1), retry(3)])
    here = (await registry.overview.lanes())[0]
    assert [(one.kind, one.count) for one in here.exceptions] == [
        (ExceptionKind.DENIED, 1),
        (ExceptionKind.PARKED, 2),
        (ExceptionKind.RETRY, 1),
    ]
    stored = {one.sequence: one for one in await registry.exceptions.among(lanes.lane, SEQUENCES)}
    assert here.exceptions[1].oldest == stored[2].since


async def test_what_stops_a_lane_is_told(registry: Registry) -> None:
    await opened(registry)
    await registry.lanes.pause(key_of(), "works", ADMIN)
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    here, back = await registry.overview.lanes()
    assert (here.state, here.pause_cause) == (LaneState.PAUSED, "works")
    assert (here.source_stopped, here.destination_stopped) == ("", "two truths")
    assert (back.source_stopped, back.destination_stopped) == ("two truths", "")


async def test_leases_are_told_also_when_they_are_over(registry: Registry) -> None:
    lanes = await opened(registry)
    await registry.leases.release(lanes.source)
    found = (await registry.overview.database()).leases
    assert [(one.peer, one.owner) for one in found] == [(HANGZHOU, ""), (SUZHOU, "east-1")]
    assert found[1].expires_at > await registry.audit.clock()


async def test_settings_on_which_durability_rests_are_told(registry: Registry) -> None:
    found = await registry.overview.database()
    names = [setting.name for setting in found.settings]
    assert names[:3] == ["fsync", "full_page_writes", "synchronous_commit"]
    assert all(setting.is_durable for setting in found.settings)
    assert 0 < found.connection_count <= found.max_connection_count
    assert found.transactions_left > 2**30


async def test_the_database_tells_its_room_and_its_dead_rows(postgres: PostgresRegistry) -> None:
    lanes = await opened(postgres)
    await lanes.accept(1)
    async with postgres.database.line() as line:
        await line.execute("SELECT pg_stat_force_next_flush()")
    found = await postgres.overview.database()
    assert found.size_bytes > 10**6
    assert 0 < found.disk_free_bytes <= found.disk_total_bytes
    assert {"lanes", "exceptions", "leases"} & {table.name for table in found.tables}
    assert found.oldest_transaction >= 0
    assert (found.waiting_session_count, int(found.server_version.split(".")[0]) >= 15) == (0, True)
