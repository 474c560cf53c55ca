from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from hub.core.errors import LaneNotFound
from hub.core.lifecycle import PacketState
from hub.core.packet import MAX_SEQUENCE
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind
from hub.core.time import SECOND, Duration
from hub.exchange import listing, story
from hub.exchange.listing import START, StateFilter
from hub.exchange.reading import AT_ONCE
from hub.ports.packets import ExceptionFilter
from tests.harness.exchange import ADMIN, Exchange
from tests.harness.registry import key_of

if TYPE_CHECKING:
    from hub.exchange.listing import Listing, Place

LAST = 9
"""A page that holds everything."""


@pytest.fixture
async def exchange() -> Exchange:
    return await Exchange.opened()


def spied(patch: pytest.MonkeyPatch, port: Any, name: str) -> list[Any]:
    """What *port* answers when it is asked for *name*, as it comes."""
    answers: list[Any] = []
    method = getattr(port, name)

    async def ask(*args: Any) -> Any:
        answers.append(await method(*args))
        return answers[-1]

    patch.setattr(port, name, ask)
    return answers


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


async def test_a_page_of_exceptions_is_bounded_in_bytes(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    await exchange.accept(exchange.send(5), denied="no")
    [packet, *_] = await exchange.registry.packets.page(await exchange.lane_id(), 0, 1)
    monkeypatch.setattr(story, "MAX_PAGE_BYTES", len(packet.content) + 9)
    denied = ExceptionFilter(kind=ExceptionKind.DENIED)
    found: list[list[int]] = []
    after: Place | None = START
    while after is not None:
        page = await listing.by_exception(exchange.registry, denied, after, LAST)
        found.append(sequences(page))
        after = page.after
    assert found == [[1, 2], [3, 4], [5]]


async def test_no_more_is_read_at_once_than_there_is_room_for(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = exchange.send(6)
    await exchange.accept(packets, denied="no")
    await exchange.settle_elsewhere(9)
    lane = exchange.registry.state.lanes[await exchange.lane_id()]
    size = max(len(packet.content) for packet in lane.packets.values())
    monkeypatch.setattr(story, "AT_ONCE", size + 1)
    read = spied(monkeypatch, exchange.registry.packets, "read")
    paged = spied(monkeypatch, exchange.registry.packets, "page")
    denied = ExceptionFilter(kind=ExceptionKind.DENIED)
    page = await listing.by_exception(exchange.registry, denied, START, LAST)
    assert sequences(page) == [1, 2, 3, 4, 5, 6]
    page = await listing.by_state(exchange.registry, StateFilter(), START, LAST)
    assert sequences(page) == [1, 2, 3, 4, 5, 6]
    assert [len(part) for part in read] == [2, 2, 2]
    monkeypatch.setattr(story, "_PART", 1)
    await listing.by_exception(exchange.registry, denied, START, LAST)
    assert [len(part) for part in read[3:]] == [1] * 6
    assert [len(part) for part in paged] == [2, 2, 2, 0, 0]


async def test_answers_end_what_is_read_at_once_too(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets = exchange.send(5)
    await exchange.accept(packets)
    await exchange.deliver(packets)
    await exchange.acknowledge(packets[1:4])
    lane = exchange.registry.state.lanes[await exchange.lane_id()]
    lane.outcomes[1] = structs.replace(lane.outcomes[1], content=bytes(AT_ONCE))
    parts = [
        (list(part), [one.outcome is not None for one in found.values()])
        async for part, found in story.in_parts(
            exchange.registry, exchange.key, RangeSet.span(1, 9)
        )
    ]
    assert parts == [([1, 2, 3], [False, True, True]), ([4, 5, 6, 7, 8], [True, False])]
    page = await listing.by_state(exchange.registry, StateFilter(), START, LAST)
    assert sequences(page) == [1, 2, 3, 4, 5]


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
