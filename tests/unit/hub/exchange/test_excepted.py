from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import LimitExceeded, Reason
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, PacketException
from hub.exchange import excepted, listing
from hub.exchange.excepted import Excepted
from hub.ports.packets import ExceptionFilter
from tests.harness.exchange import SUZHOU, Exchange

if TYPE_CHECKING:
    from hub.exchange.excepted import Look

PARKED = ExceptionFilter(kind=ExceptionKind.PARKED)


@pytest.fixture
async def exchange() -> Exchange:
    return await Exchange.opened()


def watch(exchange: Exchange, limit: int = 9) -> Excepted:
    return Excepted(exchange.registry, PARKED, limit)


async def park(exchange: Exchange, *sequences: int, detail: str = "odd") -> None:
    found = [
        PacketException(
            sequence=sequence,
            kind=ExceptionKind.PARKED,
            reason=Reason.PACKET_INVALID,
            detail=detail,
            attempts=1,
            next_attempt_at=None,
        )
        for sequence in sequences
    ]
    await exchange.registry.exceptions.put(exchange.fences[SUZHOU], await exchange.lane_id(), found)


async def told(exchange: Exchange, watched: Excepted) -> tuple[list[int], list[int]]:
    """Sequences of what has changed, read as a watch does, and of what is gone."""
    look: Look = await watched.look()
    found: list[int] = []
    async for part in listing.with_standings(exchange.registry, PARKED.kind, look.changed):
        watched.learn(part)
        found += [one.sequence for one in part]
    return found, [sequence for _, sequence in look.gone]


async def test_what_stands_as_before_is_not_read_again(exchange: Exchange) -> None:
    await exchange.accept(exchange.send(3))
    await park(exchange, 1, 2)
    watched = watch(exchange)
    assert await told(exchange, watched) == ([1, 2], [])
    assert await told(exchange, watched) == ([], [])
    await park(exchange, 2, detail="odder")
    await park(exchange, 3)
    assert await told(exchange, watched) == ([2, 3], [])
    lane = await exchange.lane_id()
    await exchange.registry.exceptions.remove(exchange.fences[SUZHOU], lane, RangeSet.of([1]))
    assert await told(exchange, watched) == ([], [1])
    await park(exchange, 1)
    assert await told(exchange, watched) == ([1], [])


async def test_every_step_of_a_packet_is_a_change(exchange: Exchange) -> None:
    packets = exchange.send(2)
    await exchange.accept(packets)
    await park(exchange, 1, 2)
    watched = watch(exchange)
    assert await told(exchange, watched) == ([1, 2], [])
    await exchange.deliver(packets[:1])
    assert await told(exchange, watched) == ([1], [])
    await exchange.acknowledge(packets[:1])
    await park(exchange, 1)
    assert await told(exchange, watched) == ([1], [])
    await exchange.complete(packets[:1])
    assert await told(exchange, watched) == ([1], [])
    assert await told(exchange, watched) == ([], [])


async def test_no_more_than_so_many_are_watched(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excepted, "_AT_ONCE", 2)
    await exchange.accept(exchange.send(5))
    await park(exchange, 1, 2, 3, 4, 5)
    assert await told(exchange, watch(exchange, 5)) == ([1, 2, 3, 4, 5], [])
    with pytest.raises(LimitExceeded):
        await watch(exchange, 4).look()
