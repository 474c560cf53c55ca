"""Reads that end when they have so many bytes: the same first facts of every registry."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import SequenceRetired
from hub.core.ranges import RangeSet
from hub.core.record import NewOutcome, NewPacket, OutcomeKind
from tests.harness.registry import Opened, acceptance, opened, settlement
from tests.registry.test_partitions import age

if TYPE_CHECKING:
    from hub.ports.registry import Registry
    from hub.registry.registry import PostgresRegistry

ALL = RangeSet.span(0, 99)


async def accept(lanes: Opened, first: int, *sizes: int) -> None:
    """Packets from *first* on whose contents have these *sizes*."""
    part = acceptance(lanes.lane, range(first, first + len(sizes)))
    packets = [
        NewPacket(packet.sequence, packet.content.ljust(size, b"."), packet.timeout_timestamp)
        for packet, size in zip(part.packets, sizes, strict=True)
    ]
    await lanes.registry.packets.accept(lanes.source, [replace(part, packets=tuple(packets))])


async def settle(lanes: Opened, sequences: list[int], size: int) -> None:
    """Outcomes of *sequences* whose contents have this *size*."""
    part = settlement(lanes.lane, sequences)
    kind = OutcomeKind.ACKNOWLEDGEMENT
    found = tuple([NewOutcome(sequence, kind, b"." * size) for sequence in sequences])
    await lanes.registry.outcomes.record(lanes.destination, [replace(part, outcomes=found)])


async def numbers(
    registry: Registry, lane: int, most: int | None, wanted: RangeSet = ALL
) -> list[int]:
    return [packet.sequence for packet in await registry.packets.read(lane, wanted, most)]


async def test_packets_are_read_until_there_is_enough_of_them(registry: Registry) -> None:
    lanes = await opened(registry)
    await accept(lanes, 1, 100, 100, 3_000, 100, 50_000, 100)
    lane = lanes.lane
    assert await numbers(registry, lane, 1) == [1]
    assert await numbers(registry, lane, 100) == [1]
    assert await numbers(registry, lane, 101) == [1, 2]
    assert await numbers(registry, lane, 201) == [1, 2, 3]
    assert await numbers(registry, lane, 3_301) == [1, 2, 3, 4, 5]
    assert await numbers(registry, lane, 99_999) == [1, 2, 3, 4, 5, 6]
    assert await numbers(registry, lane, 150, RangeSet.of([2, 4, 6])) == [2, 4]
    assert await numbers(registry, lane, 1, RangeSet.of([5])) == [5]
    assert await numbers(registry, lane, 1, RangeSet()) == []
    assert await numbers(registry, lane, None) == [1, 2, 3, 4, 5, 6]


async def test_a_page_ends_where_there_is_enough_of_it(registry: Registry) -> None:
    lanes = await opened(registry)
    await accept(lanes, 1, 100, 100, 3_000, 100)
    for most, first in ((1, [2]), (101, [2, 3]), (3_101, [2, 3, 4]), (None, [2, 3, 4])):
        page = await registry.packets.page(lanes.lane, 1, 9, most)
        assert [packet.sequence for packet in page] == first
    page = await registry.packets.page(lanes.lane, 1, 2, 99_999)
    assert [packet.sequence for packet in page] == [2, 3]


async def test_outcomes_are_read_and_found_until_there_is_enough_of_them(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, 4)
    await settle(lanes, [3, 4], 100)
    await settle(lanes, [1, 2], 5_000)
    read, find = registry.outcomes.read, registry.outcomes.find
    assert [o.sequence for o in await read(lanes.lane, ALL, 101)] == [3, 4]
    assert [o.sequence for o in await read(lanes.lane, ALL, 201)] == [3, 4, 1]
    assert [o.sequence for o in await find(lanes.lane, ALL, 5_001)] == [1, 2]
    assert [o.sequence for o in await find(lanes.lane, ALL, 10_150)] == [1, 2, 3, 4]


async def test_packets_of_recent_and_of_older_days_are_the_first_ones_together(
    postgres: PostgresRegistry,
) -> None:
    lanes = await opened(postgres)
    await accept(lanes, 1, 100, 100)
    await accept(lanes, 4, 5_000, 100)
    await age(postgres)
    await accept(lanes, 3, 100)
    await accept(lanes, 6, 100, 100)
    everything = [1, 2, 3, 4, 5, 6, 7]
    sizes = [100, 100, 100, 5_000, 100, 100, 100]
    for most in range(50, 5_700, 50):
        before = [sum(sizes[:at]) for at in range(7)]
        first = [number for number, size in zip(everything, before, strict=True) if size < most]
        assert await numbers(postgres, lanes.lane, most) == first, most


async def test_a_packet_that_is_dropped_is_missed_only_where_the_read_comes_to_it(
    postgres: PostgresRegistry,
) -> None:
    lanes = await opened(postgres)
    await accept(lanes, 1, 100, 100, 100)
    async with postgres.database.line() as line:
        await line.execute(
            "INSERT INTO retired (lane_id, sequences, settled, indexes)"
            " VALUES ($1, '{[3,4)}'::int8multirange, '{}'::int8multirange, '{}'::int8multirange)"
            " ON CONFLICT (lane_id) DO UPDATE SET sequences = excluded.sequences",
            lanes.lane,
        )
        async with line.transaction():
            await line.execute("SET LOCAL session_replication_role = replica")
            await line.execute("DELETE FROM packets WHERE sequence = 3")
    assert await numbers(postgres, lanes.lane, 150, RangeSet.span(1, 4)) == [1, 2]
    with pytest.raises(SequenceRetired):
        await numbers(postgres, lanes.lane, 1_000, RangeSet.span(1, 4))
