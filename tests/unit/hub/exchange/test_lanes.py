from __future__ import annotations

import pytest

from hub.core.errors import LaneNotFound, PeerNotFound
from hub.core.ids import PeerId
from hub.core.lane import LaneState, Order
from hub.exchange import lanes
from hub.ports.lanes import OpeningPlan, OpeningState
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU, Exchange


def plan(destination: PeerId = SUZHOU) -> OpeningPlan:
    return OpeningPlan(
        source=HANGZHOU,
        destination=destination,
        source_client=None,
        destination_client=None,
        from_sequence=0,
        order=Order.UNORDERED,
        allow_routes=(),
    )


async def test_an_opening_shows_its_lanes_once_they_are_open() -> None:
    exchange = await Exchange.make()
    registry = exchange.registry
    started = await lanes.start_opening(registry, plan(), ADMIN)
    assert (started.opening.state, started.lanes) == (OpeningState.RUNNING, ())
    number = started.opening.number
    await registry.lanes.finish_opening(number, [(exchange.key, 1), (exchange.key.reverse, 4)])
    found = await lanes.opening(registry, number)
    assert found.opening.state is OpeningState.DONE
    assert [counts.view.lane.key for counts in found.lanes] == [exchange.key, exchange.key.reverse]


async def test_what_is_not_there_is_not_opened_or_found() -> None:
    exchange = await Exchange.make()
    with pytest.raises(PeerNotFound):
        await lanes.start_opening(exchange.registry, plan(PeerId("nowhere")), ADMIN)
    with pytest.raises(LaneNotFound):
        await lanes.opening(exchange.registry, 7)
    with pytest.raises(LaneNotFound):
        await lanes.get(exchange.registry, exchange.key)


async def test_a_lane_is_paused_and_goes_on() -> None:
    exchange = await Exchange.opened()
    paused, already = await lanes.pause(exchange.registry, exchange.key, "audit", ADMIN)
    lane = paused.view.lane
    assert (lane.state, lane.pause_cause, already) == (LaneState.PAUSED, "audit", False)
    assert (await lanes.pause(exchange.registry, exchange.key, "again", ADMIN))[1]
    resumed, already = await lanes.resume(exchange.registry, exchange.key, ADMIN)
    assert (resumed.view.lane.state, already) == (LaneState.OPEN, False)


async def test_pages_of_lanes_count_packets_and_exceptions() -> None:
    exchange = await Exchange.opened()
    await exchange.accept(exchange.send(2), denied="route is not listed")
    first, more = await lanes.page(exchange.registry, None, "", 1)
    assert more
    (counts,) = first
    assert (len(counts.view.source.done), counts.exception_count) == (2, 2)
    rest, more = await lanes.page(exchange.registry, SUZHOU, str(counts.view.lane.key), 5)
    assert ([found.view.lane.key for found in rest], more) == ([exchange.key.reverse], False)
    assert await lanes.page(exchange.registry, PeerId("nowhere"), "", 5) == ([], False)


async def test_a_lane_drains_and_is_closed_when_nothing_is_left() -> None:
    exchange = await Exchange.opened()
    packets = exchange.send(1)
    await exchange.accept(packets)
    drained, already = await lanes.drain(exchange.registry, exchange.key, "the last year", ADMIN)
    assert (drained.view.state, already) == (LaneState.DRAINING, False)
    await exchange.deliver(packets)
    await exchange.acknowledge(packets)
    await exchange.complete(packets)
    drained, already = await lanes.drain(exchange.registry, exchange.key, "again", ADMIN)
    assert (drained.view.state, already) == (LaneState.CLOSED, True)
