from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import LaneNotFound
from hub.core.lifecycle import PacketState
from hub.core.packet import MAX_SEQUENCE
from hub.core.record import ExceptionKind
from hub.core.time import SECOND, Duration
from hub.exchange import listing
from hub.exchange.listing import START, StateFilter
from hub.ports.packets import ExceptionFilter
from tests.harness.exchange import ADMIN, Exchange
from tests.harness.registry import key_of

if TYPE_CHECKING:
    from hub.exchange.listing import Listing

LAST = 9
"""A page that holds everything."""


@pytest.fixture
async def exchange() -> Exchange:
    return await Exchange.opened()


def sequences(page: Listing) -> list[int]:
    return [one.sequence for one in page.packets]


async def test_an_age_is_counted_back_from_the_databases_clock(exchange: Exchange) -> None:
    assert await listing.since(exchange.registry, Duration(0)) is None
    now = await exchange.registry.audit.clock()
    back = await listing.since(exchange.registry, Duration(60 * SECOND))
    assert back is not None
    assert now - 60 * SECOND <= back < now
    assert await listing.since(exchange.registry, Duration(2**62)) == 0


async def test_packets_of_all_lanes_follow_each_other(exchange: Exchange) -> None:
    packets = exchange.send(3)
    await exchange.accept(packets)
    await exchange.deliver(packets[:1])
    page = await listing.by_state(exchange.registry, StateFilter(), START, 2)
    assert (sequences(page), page.after) == ([1, 2], (str(exchange.key), 2))
    assert page.after is not None
    rest = await listing.by_state(exchange.registry, StateFilter(), page.after, 2)
    assert (sequences(rest), rest.after) == ([3], None)
    done = (str(exchange.key), MAX_SEQUENCE)
    assert sequences(await listing.by_state(exchange.registry, StateFilter(), done, 2)) == []
    delivered = StateFilter(state=PacketState.DELIVERED)
    assert sequences(await listing.by_state(exchange.registry, delivered, START, LAST)) == [1]


async def test_packets_of_one_lane_are_no_others(exchange: Exchange) -> None:
    await exchange.accept(exchange.send(2))
    here, back = StateFilter(lane=exchange.key), StateFilter(lane=exchange.key.reverse)
    assert sequences(await listing.by_state(exchange.registry, here, START, LAST)) == [1, 2]
    assert sequences(await listing.by_state(exchange.registry, back, START, LAST)) == []
    nowhere = StateFilter(lane=key_of(number=7))
    with pytest.raises(LaneNotFound):
        await listing.by_state(exchange.registry, nowhere, START, LAST)


async def test_packets_are_listed_by_their_age(exchange: Exchange) -> None:
    await exchange.accept(exchange.send())
    between = await exchange.registry.audit.clock()
    await exchange.accept(exchange.send())
    old = StateFilter(before=between)
    assert sequences(await listing.by_state(exchange.registry, old, START, LAST)) == [1]


async def test_exceptions_come_with_where_their_packets_stand(exchange: Exchange) -> None:
    await exchange.accept(exchange.send(3), denied="no")
    denied = ExceptionFilter(kind=ExceptionKind.DENIED)
    page = await listing.by_exception(exchange.registry, denied, START, 2)
    assert (sequences(page), page.after) == ([1, 2], (str(exchange.key), 2))
    assert all(one.standing and one.standing.state is PacketState.DENIED for one in page.packets)
    assert page.after is not None
    rest = await listing.by_exception(exchange.registry, denied, page.after, 2)
    assert (sequences(rest), rest.after) == ([3], None)
    nowhere = ExceptionFilter(kind=ExceptionKind.DENIED, lane=key_of(number=7))
    with pytest.raises(LaneNotFound):
        await listing.by_exception(exchange.registry, nowhere, START, 2)


async def test_a_held_packet_has_an_exception_that_is_no_row(exchange: Exchange) -> None:
    await exchange.accept(exchange.send())
    await exchange.registry.lanes.pause(exchange.key, "works", ADMIN)
    held = ExceptionFilter(kind=ExceptionKind.HELD)
    (found,) = (await listing.by_exception(exchange.registry, held, START, LAST)).packets
    assert found.exception is not None
    assert found.exception.detail == "works"
    assert found.standing is not None
    assert found.standing.exception is None


async def test_a_hole_is_nobodys_packet(exchange: Exchange) -> None:
    lane = exchange.registry.state.lanes[await exchange.lane_id()]
    await exchange.accept(exchange.send(), denied="no")
    lane.exceptions[7] = replace(lane.exceptions[1], sequence=7, kind=ExceptionKind.HOLE)
    hole = ExceptionFilter(kind=ExceptionKind.HOLE)
    (found,) = (await listing.by_exception(exchange.registry, hole, START, LAST)).packets
    assert (found.sequence, found.standing) == (7, None)
