"""Lanes whose packets, outcomes and reports come with many gaps: at most 64 ranges in a row."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import GapTooWide, GateChanged, IllegalMove, PacketNotFound, Reason
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, OutcomeKind
from hub.registry.narrow import MAX_HOLES, MAX_RANGES, RANGES_AFTER_CLOSING
from tests.harness.registry import LOCK_WAITERS, SEQUENCES, Opened, broken, opened

if TYPE_CHECKING:
    from hub.ports.registry import Registry
    from hub.registry.registry import PostgresRegistry

CLOSED = MAX_RANGES + 1 - RANGES_AFTER_CLOSING
"""Holes that are closed when the ranges are one too many, each of one number."""


async def accept_odd(lanes: Opened, count: int) -> RangeSet:
    """The first *count* odd sequences are accepted one by one: that many ranges."""
    odd = range(1, 2 * count, 2)
    for sequence in odd:
        await lanes.accept(sequence)
    return RangeSet.of(odd)


async def holes(lanes: Opened) -> list[int]:
    """The exceptions of kind HOLE."""
    found = await lanes.registry.exceptions.among(lanes.lane, SEQUENCES)
    return [e.sequence for e in found if e.kind is ExceptionKind.HOLE]


async def test_up_to_the_limit_a_gap_is_no_exception(registry: Registry) -> None:
    lanes = await opened(registry)
    accepted = await accept_odd(lanes, MAX_RANGES)
    assert (await lanes.view()).source.done == accepted
    assert await holes(lanes) == []


async def test_beyond_the_limit_the_lowest_gaps_are_exceptions_and_still_shown_as_gaps(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    accepted = await accept_odd(lanes, MAX_RANGES + 1)
    assert (await lanes.view()).source.done == accepted
    assert await holes(lanes) == list(range(2, 2 * CLOSED + 1, 2))
    [first, *_] = await registry.exceptions.among(lanes.lane, SEQUENCES)
    assert (first.reason, first.attempts) == (Reason.PACKET_NOT_FOUND, 0)
    assert await broken(registry) == {}


async def test_a_hole_is_filled_by_its_packet_and_no_exception_any_more(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    accepted = await accept_odd(lanes, MAX_RANGES + 1)
    await lanes.accept(2, 4, 1000, denied=[4])
    assert (await lanes.view()).source.done == accepted | RangeSet.of([2, 4, 1000])
    left = {e.sequence: e.kind for e in await registry.exceptions.among(lanes.lane, SEQUENCES)}
    assert 2 not in left
    assert left[4] is ExceptionKind.DENIED
    assert [p.sequence for p in await registry.packets.read(lanes.lane, RangeSet.span(1, 6))] == [
        1,
        2,
        3,
        4,
        5,
    ]
    with pytest.raises(GateChanged):
        await lanes.accept(2)
    assert await broken(registry) == {}


async def test_a_hole_has_no_outcome_and_is_not_delivered(registry: Registry) -> None:
    lanes = await opened(registry)
    await accept_odd(lanes, MAX_RANGES + 1)
    with pytest.raises(PacketNotFound):
        await lanes.settle(1, 2)
    with pytest.raises(PacketNotFound):
        await registry.outcomes.record_delivered(lanes.destination, lanes.lane, RangeSet.span(1, 4))
    await lanes.settle(1)
    await registry.outcomes.record_delivered(lanes.destination, lanes.lane, RangeSet.of([1, 3]))


async def test_a_hole_that_others_carried_is_settled_and_no_exception_any_more(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await accept_odd(lanes, MAX_RANGES + 1)
    await lanes.settle(2, kind=OutcomeKind.SETTLED_ELSEWHERE)
    assert (await holes(lanes))[0] == 4
    assert list((await lanes.view()).destination.done) == [2]
    assert await broken(registry) == {}


async def test_a_gap_that_others_carried_is_not_made_a_hole(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.settle(*range(2, 2 * CLOSED, 2), kind=OutcomeKind.SETTLED_ELSEWHERE)
    await accept_odd(lanes, MAX_RANGES + 1)
    assert await holes(lanes) == [2 * CLOSED]
    assert await broken(registry) == {}


async def test_an_acceptance_that_would_leave_too_many_holes_is_refused_until_they_are_filled(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    wide = 40
    sequences = range(1, MAX_RANGES * wide, wide)
    for sequence in sequences:
        await lanes.accept(sequence)
    with pytest.raises(GapTooWide) as caught:
        await lanes.accept(MAX_RANGES * wide + 1)
    assert caught.value.limit == MAX_HOLES
    assert caught.value.ranges == CLOSED * (wide - 1)
    assert (await lanes.view()).source.done == RangeSet.of(sequences)
    assert await holes(lanes) == []
    await fill(lanes, 12 * wide)
    await lanes.accept(MAX_RANGES * wide + 1)
    assert await broken(registry) == {}


async def fill(lanes: Opened, end: int) -> None:
    """Every gap below *end* is filled."""
    missing = (await lanes.view()).source.done.holes(1) & RangeSet.span(1, end)
    await lanes.accept(*missing)


async def test_an_endless_gap_is_refused_without_being_counted_out(registry: Registry) -> None:
    lanes = await opened(registry)
    far = 2**62
    for at in range(MAX_RANGES - 1):
        await lanes.accept(far + 2 * at)
    await lanes.accept(1)
    with pytest.raises(GapTooWide):
        await lanes.accept(far + 2 * MAX_RANGES)


async def test_outcomes_with_any_gaps_are_taken(registry: Registry) -> None:
    lanes = await opened(registry)
    count = 3 * MAX_RANGES
    await lanes.accept(*range(1, 2 * count + 1))
    for sequence in range(2, 2 * count + 1, 2):
        await lanes.settle(sequence)
    even = RangeSet.of(range(2, 2 * count + 1, 2))
    view = await lanes.view()
    assert view.destination.done == even
    assert view.destination.outcome_count == count
    assert await registry.exceptions.among(lanes.lane, SEQUENCES) == []
    assert await broken(registry) == {}


async def test_a_straggler_has_its_outcome_late_and_only_once(registry: Registry) -> None:
    lanes = await opened(registry)
    count = 3 * MAX_RANGES
    await lanes.accept(*range(1, 2 * count + 1))
    for sequence in range(2, 2 * count + 1, 2):
        await lanes.settle(sequence)
    await lanes.settle(1, 3, 2 * count - 1, kind=OutcomeKind.ABSENCE)
    for sequence in (1, 3, 4):
        with pytest.raises(GateChanged):
            await lanes.settle(sequence)
    stored = await registry.outcomes.read(lanes.lane, RangeSet.of([count, count + 2]))
    assert [(o.outcome_index, o.sequence) for o in stored] == [
        (count, 1),
        (count + 2, 2 * count - 1),
    ]
    await lanes.settle(*range(5, 2 * count - 1, 2))
    view = await lanes.view()
    assert view.destination.done == RangeSet.span(1, 2 * count + 1)


async def test_reports_with_any_gaps_are_taken(registry: Registry) -> None:
    lanes = await opened(registry)
    count = 3 * MAX_RANGES
    await lanes.accept(*range(1, 2 * count + 1))
    await lanes.settle(*range(1, 2 * count + 1))
    even = RangeSet.of(range(2, 2 * count, 2))
    for number in even:
        one = RangeSet.of([number])
        await registry.outcomes.record_completed(lanes.source, lanes.lane, one)
    assert (await lanes.view()).source.progress == even
    late = RangeSet.of([1, 3, 4])
    await registry.outcomes.record_completed(lanes.source, lanes.lane, late)
    assert (await lanes.view()).source.progress == even | late
    await registry.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.span(0, 2 * count))
    assert (await lanes.view()).source.progress == RangeSet.span(0, 2 * count)
    assert await broken(registry) == {}


async def test_delivery_of_packets_that_ended_is_forgotten_first(registry: Registry) -> None:
    lanes = await opened(registry)
    count = 2 * MAX_RANGES
    await lanes.accept(*range(1, 2 * count + 1))
    await lanes.settle(1, 3)
    for number in range(2, 2 * count + 1, 2):
        await registry.outcomes.record_delivered(
            lanes.destination, lanes.lane, RangeSet.of([number])
        )
    delivered = (await lanes.view()).destination.progress
    assert delivered - RangeSet.of([1, 3]) == RangeSet.of(range(2, 2 * count + 1, 2))
    await registry.outcomes.record_delivered(lanes.destination, lanes.lane, RangeSet.of([5]))
    assert 5 in (await lanes.view()).destination.progress
    assert await broken(registry) == {}


async def test_the_highest_sequence_of_all_has_no_place(registry: Registry) -> None:
    """A chain may prove it; what comes after it is no 64-bit integer."""
    lanes = await opened(registry)
    top = 2**63 - 1
    await lanes.accept(1)
    with pytest.raises(GapTooWide):
        await lanes.accept(2, top)
    for kind in OutcomeKind:
        with pytest.raises(PacketNotFound):
            await lanes.settle(1, top, kind=kind)
    everything = RangeSet.span(1, top + 1)
    with pytest.raises(PacketNotFound):
        await registry.outcomes.record_delivered(lanes.destination, lanes.lane, everything)
    with pytest.raises(IllegalMove):
        await registry.outcomes.record_completed(lanes.source, lanes.lane, everything)
    assert len(await registry.packets.read(lanes.lane, everything)) == 1
    assert await registry.outcomes.read(lanes.lane, everything) == []
    assert await registry.outcomes.find(lanes.lane, everything) == []
    await registry.exceptions.remove(lanes.source, lanes.lane, everything)
    await lanes.accept(top - 1)
    await lanes.settle(top - 1)
    assert top - 1 in (await lanes.view()).source.done
    assert await broken(registry) == {}


async def test_a_hole_that_is_closed_while_timeouts_are_dropped_keeps_its_timeout(
    postgres: PostgresRegistry,
) -> None:
    """Dropping waits for a settlement that widens the row over packets that are still open."""
    lanes = await opened(postgres)
    for sequence in range(1, 2 * MAX_RANGES + 3):
        await lanes.accept(sequence)
    even = range(2, 2 * MAX_RANGES + 3, 2)

    async with postgres.database.line() as line:

        async def waiters(count: int) -> None:
            while await line.fetchval(LOCK_WAITERS) < count:
                pass

        lock = "SELECT FROM lane_sides WHERE lane_id = $1 AND side = 'DESTINATION'"
        async with postgres.database.line() as holder:
            async with holder.transaction():
                await holder.execute(f"{lock} FOR NO KEY UPDATE", lanes.lane)
                settling = asyncio.ensure_future(lanes.settle(*even))
                await waiters(1)
                packets = postgres.packets
                dropping = asyncio.ensure_future(
                    packets.drop_ended_timeouts(lanes.destination, [lanes.lane])
                )
                await waiters(2)
            await settling
            await dropping
    due = await postgres.packets.due_timeouts(lanes.lane, 2**62, 1000)
    assert {batch.first for batch in due} >= set(range(1, 2 * MAX_RANGES + 2, 2))
    await postgres.packets.drop_ended_timeouts(lanes.destination, [lanes.lane])
    due = await postgres.packets.due_timeouts(lanes.lane, 2**62, 1000)
    assert [batch.first for batch in due] == list(range(1, 2 * MAX_RANGES + 2, 2))
    assert await broken(postgres) == {}
