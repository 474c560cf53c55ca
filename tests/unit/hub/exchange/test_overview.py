from __future__ import annotations

from hub.core.time import MILLISECOND
from hub.exchange import overview
from tests.harness.clock import ManualClock
from tests.harness.exchange import Exchange


async def test_activity_is_of_every_lane_as_of_the_databases_clock() -> None:
    exchange = await Exchange.opened()
    before = await exchange.registry.audit.clock()
    found = await overview.activity(exchange.registry)
    assert before < found.at < before + 1000 * MILLISECOND
    assert [lane.key for lane in found.lanes] == [exchange.key, exchange.key.reverse]


async def test_the_database_stands_beside_the_hubs_clock() -> None:
    exchange, clock = await Exchange.opened(), ManualClock()
    found = await overview.database(exchange.registry, clock, ask_invariants=False)
    assert found.hub_time == clock.now()
    assert found.violations == ()
    assert found.partition_days > 0
    found = await overview.database(exchange.registry, clock, ask_invariants=True)
    assert found.violations
