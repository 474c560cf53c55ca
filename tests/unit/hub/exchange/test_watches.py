from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.errors import PageTokenInvalid
from hub.core.ranges import EMPTY, RangeSet
from hub.exchange.watches import EVERY, packet_rounds, rounds
from hub.ports.watching import Seen
from tests.harness.clock import ManualClock, settle
from tests.harness.exchange import ADMIN, Exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Hand:
    """Moves time until the next round is there."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    async def next(self, found: AsyncIterator[Any]) -> Any:
        task = asyncio.ensure_future(_next(found))
        await settle()
        if not task.done():
            await self._clock.advance(EVERY)
        return await task


async def _next(found: AsyncIterator[Any]) -> Any:
    return await anext(found)


@pytest.fixture
async def exchange() -> Exchange:
    return await Exchange.opened()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def hand(clock: ManualClock) -> Hand:
    return Hand(clock)


async def test_a_round_has_what_changed_since_the_one_before(
    exchange: Exchange, clock: ManualClock, hand: Hand
) -> None:
    registry = exchange.registry
    found = rounds(registry, clock, registry.watching.lanes, 0)
    first = await hand.next(found)
    assert list(first.names) == [exchange.key.name, exchange.key.reverse.name]
    assert list((await hand.next(found)).names) == []
    await registry.lanes.pause(exchange.key, "works", ADMIN)
    third = await hand.next(found)
    assert (list(third.names), third.position > first.position) == ([exchange.key.name], True)
    again = rounds(registry, clock, registry.watching.lanes, first.position)
    assert list((await hand.next(again)).names) == [exchange.key.name]


async def test_a_position_that_the_registry_has_not_reached_is_refused(
    exchange: Exchange, clock: ManualClock, hand: Hand
) -> None:
    registry = exchange.registry
    with pytest.raises(PageTokenInvalid):
        await hand.next(rounds(registry, clock, registry.watching.lanes, 10**9))
    lane = await exchange.lane_id()
    for seen in (Seen(position=10**9), Seen(outcome_count=1)):
        with pytest.raises(PageTokenInvalid):
            await hand.next(packet_rounds(registry, clock, lane, seen))


async def test_packets_are_told_by_what_the_lanes_rows_say_more(
    exchange: Exchange, clock: ManualClock, hand: Hand
) -> None:
    sent = exchange.send(4)
    await exchange.accept(sent[:2])
    await exchange.deliver(sent[:1])
    await exchange.acknowledge(sent[:1])
    await exchange.complete(sent[:1])
    lane = await exchange.lane_id()
    found = packet_rounds(exchange.registry, clock, lane, None)
    first = await hand.next(found)
    assert first.sequences == RangeSet.of([2])
    assert (await hand.next(found)).sequences == EMPTY
    await exchange.accept(sent[2:])
    await exchange.deliver(sent[1:3])
    assert (await hand.next(found)).sequences == RangeSet.of([2, 3, 4])
    await exchange.acknowledge(sent[1:3])
    assert (await hand.next(found)).sequences == RangeSet.of([2, 3])
    await exchange.complete(sent[1:2])
    assert (await hand.next(found)).sequences == RangeSet.of([2])
    again = packet_rounds(exchange.registry, clock, lane, first.seen)
    assert (await hand.next(again)).sequences == RangeSet.of([2, 3, 4])
