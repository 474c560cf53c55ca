from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, NewPacket
from hub.exchange.reading import AT_ONCE, exceptions_of, in_parts
from hub.registry.memory import MemoryRegistry
from tests.harness.registry import Opened, acceptance, opened

SIZE = AT_ONCE // 4


@pytest.fixture
async def lanes() -> Opened:
    return await opened(MemoryRegistry())


async def test_everything_is_read_once_and_some_at_a_time(lanes: Opened) -> None:
    part = acceptance(lanes.lane, range(1, 11))
    packets = [NewPacket(one.sequence, bytes(SIZE), one.timeout_timestamp) for one in part.packets]
    await lanes.registry.packets.accept(lanes.source, [replace(part, packets=tuple(packets))])
    await lanes.accept(12)
    found = [
        [packet.sequence for packet in part]
        async for part in in_parts(lanes.registry.packets.read, lanes.lane, RangeSet.span(1, 20))
    ]
    assert found == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 12]]


async def test_outcomes_are_counted_by_their_index(lanes: Opened) -> None:
    await lanes.accept(1, 2, 3)
    await lanes.settle(3, 1)
    read = lanes.registry.outcomes.read
    found = [
        [outcome.sequence for outcome in part]
        async for part in in_parts(read, lanes.lane, RangeSet.span(0, 5), "outcome_index")
    ]
    assert found == [[3, 1]]


async def test_nothing_is_asked_about_nothing(lanes: Opened) -> None:
    read = lanes.registry.packets.read
    assert [part async for part in in_parts(read, lanes.lane, RangeSet())] == []


async def test_the_exceptions_of_one_lane_are_its_own(lanes: Opened) -> None:
    exceptions = lanes.registry.exceptions
    assert await exceptions_of(exceptions, lanes.lane) == {}
    await lanes.accept(1, 2, 3, denied=[2])
    assert await exceptions_of(exceptions, lanes.lane) == {ExceptionKind.DENIED: RangeSet.of([2])}
    assert await exceptions_of(exceptions, lanes.lane + 1) == {}
