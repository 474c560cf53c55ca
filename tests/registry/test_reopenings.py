from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from hub.core.errors import (
    GateChanged,
    HubError,
    LaneNotFound,
    LeaseLost,
    Reason,
    SequenceRetired,
)
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import ExceptionKind, OutcomeKind, PacketException
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SEQUENCES,
    Opened,
    acquire,
    broken,
    disproof,
    key_of,
    opened,
)
from tests.registry.test_partitions import age, drop_timeouts

if TYPE_CHECKING:
    from hub.ports.registry import Registry
    from hub.registry.registry import PostgresRegistry


async def completed(registry: Registry, *sequences: int) -> Opened:
    """Packets that are acknowledged, in order, and reported executed at their source."""
    lanes = await opened(registry)
    await lanes.accept(*sequences)
    await lanes.settle(*sequences)
    indexes = RangeSet.span(0, len(sequences))
    await registry.outcomes.record_completed(lanes.source, lanes.lane, indexes)
    return lanes


async def progress(lanes: Opened) -> tuple[RangeSet, int]:
    side = (await lanes.view()).source
    return side.progress, side.reopened_count


async def test_what_is_disproven_is_open_again_counted_and_an_exception(
    registry: Registry,
) -> None:
    lanes = await completed(registry, 1, 2, 3)
    found = [disproof(1, 2, 9), disproof(2, 3, 11)]
    outcomes = registry.outcomes
    assert await outcomes.reopen(lanes.source, lanes.lane, 1, found) == {1: 1, 2: 1}
    assert await progress(lanes) == (RangeSet.of([0]), 2)
    assert not (await lanes.view()).is_settled
    first, second = await registry.exceptions.among(lanes.lane, SEQUENCES)
    assert (first.sequence, first.kind, first.attempts) == (2, ExceptionKind.RETRY, 1)
    assert (first.reason, second.reason) == (Reason.EXECUTION_DISPROVEN,) * 2
    packet = f"{key_of().name}/packets/2"
    assert first.detail == (
        f"{packet} was reported executed, and its commitment stands at height 9"
    )
    [noted] = await outcomes.reopenings(lanes.lane, 3)
    assert noted.height == 11
    assert noted.reopened_at > 0
    assert await outcomes.reopenings(lanes.lane, 1) == []
    assert await broken(registry) == {}


async def test_it_is_executed_again_and_may_be_open_again_once_more(registry: Registry) -> None:
    lanes = await completed(registry, 1, 2)
    outcomes, one = registry.outcomes, RangeSet.of([1])
    for times in (1, 2, 3):
        found = [disproof(1, 2, 8 + times)]
        assert await outcomes.reopen(lanes.source, lanes.lane, 1, found) == {1: times}
        await outcomes.record_completed(lanes.source, lanes.lane, one)
        assert await progress(lanes) == (RangeSet.span(0, 2), times)
    noted = await outcomes.reopenings(lanes.lane, 2)
    assert [entry.height for entry in noted] == [9, 10, 11]
    [exception] = await registry.exceptions.among(lanes.lane, SEQUENCES)
    assert (exception.attempts, exception.sequence) == (3, 2)
    assert await broken(registry) == {}


async def test_what_was_not_executed_is_left_out(registry: Registry) -> None:
    lanes = await completed(registry, 1, 2)
    await lanes.accept(3)
    await lanes.settle(3)
    await lanes.settle(9, kind=OutcomeKind.SETTLED_ELSEWHERE)
    outcomes = registry.outcomes
    await outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([3]))
    found = [disproof(0, 1), disproof(2, 3), disproof(3, 9), disproof(77, 99)]
    assert await outcomes.reopen(lanes.source, lanes.lane, 1, found) == {0: 1}
    assert await outcomes.reopen(lanes.source, lanes.lane, 1, found) == {}
    assert await outcomes.reopen(lanes.source, lanes.lane, 1, []) == {}
    assert await progress(lanes) == (RangeSet.of([1, 3]), 1)
    assert await broken(registry) == {}


async def test_the_same_twice_in_one_call_counts_once(registry: Registry) -> None:
    lanes = await completed(registry, 1)
    found = [disproof(0, 1), disproof(0, 1)]
    assert await registry.outcomes.reopen(lanes.source, lanes.lane, 1, found) == {0: 1}
    assert len(await registry.outcomes.reopenings(lanes.lane, 1)) == 1
    assert await broken(registry) == {}


async def test_only_the_sources_lease_under_the_gate_that_was_judged(registry: Registry) -> None:
    lanes = await completed(registry, 1)
    reopen, found = registry.outcomes.reopen, [disproof(0, 1)]
    with pytest.raises(LeaseLost):
        await reopen(lanes.destination, lanes.lane, 1, found)
    with pytest.raises(LaneNotFound):
        await reopen(lanes.source, 99, 1, found)
    await registry.lanes.pause(key_of(), "work", ADMIN)
    with pytest.raises(GateChanged):
        await reopen(lanes.source, lanes.lane, 1, found)
    await acquire(registry, HANGZHOU)
    with pytest.raises(LeaseLost):
        await reopen(lanes.source, lanes.lane, 2, found)
    assert await progress(lanes) == (RangeSet.of([0]), 0)
    assert await registry.outcomes.reopenings(lanes.lane, 1) == []
    assert await registry.exceptions.among(lanes.lane, SEQUENCES) == []
    newest = await acquire(registry, HANGZHOU)
    assert await reopen(newest, lanes.lane, 2, found) == {0: 1}


async def test_an_older_exception_gives_way(registry: Registry) -> None:
    lanes = await completed(registry, 1)
    parked = PacketException(
        sequence=1,
        kind=ExceptionKind.PARKED,
        reason=Reason.PACKET_INVALID,
        detail="never",
        attempts=7,
        next_attempt_at=None,
    )
    await registry.exceptions.put(lanes.source, lanes.lane, [parked])
    await registry.outcomes.reopen(lanes.source, lanes.lane, 1, [disproof(0, 1)])
    [found] = await registry.exceptions.among(lanes.lane, SEQUENCES)
    assert (found.kind, found.attempts) == (ExceptionKind.RETRY, 1)


async def test_of_two_that_disprove_the_same_one_counts(registry: Registry) -> None:
    lanes = await completed(registry, 1, 2)
    reopen, found = registry.outcomes.reopen, [disproof(0, 1), disproof(1, 2)]
    results = await asyncio.gather(*[reopen(lanes.source, lanes.lane, 1, found) for _ in range(5)])
    assert sorted(map(len, results)) == [0, 0, 0, 0, 2]
    assert await progress(lanes) == (EMPTY, 2)


async def test_very_many_of_them_fit_the_row(registry: Registry) -> None:
    lanes = await completed(registry, *range(1, 402))
    reopen, complete = registry.outcomes.reopen, registry.outcomes.record_completed
    for first in (1, 2):
        found = [disproof(index, index + 1) for index in range(first, 400, 2)]
        assert len(await reopen(lanes.source, lanes.lane, 1, found)) == len(found)
    assert await progress(lanes) == (RangeSet.of([0, 400]), 399)
    assert await broken(registry) == {}
    for index in range(1, 400, 3):
        await complete(lanes.source, lanes.lane, RangeSet.of([index]))
    assert (await progress(lanes))[0] == RangeSet.of([0, *range(1, 400, 3), 400])
    await complete(lanes.source, lanes.lane, RangeSet.span(0, 401))
    assert await progress(lanes) == (RangeSet.span(0, 401), 399)
    assert await broken(registry) == {}


async def test_a_day_with_a_packet_that_is_open_again_is_kept(postgres: PostgresRegistry) -> None:
    lanes = await completed(postgres, 1, 2)
    await postgres.outcomes.reopen(lanes.source, lanes.lane, 1, [disproof(0, 1)])
    await drop_timeouts(lanes)
    await age(postgres)
    assert await postgres.retire(30, "ydhub-server") == []
    await postgres.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([0]))
    assert len(await postgres.retire(30, "ydhub-server")) == 1


async def test_a_packet_without_records_stays_as_it_ended(postgres: PostgresRegistry) -> None:
    lanes = await completed(postgres, 1)
    await drop_timeouts(lanes)
    await age(postgres)
    await postgres.retire(30, "ydhub-server")
    with pytest.raises(SequenceRetired):
        await postgres.outcomes.reopen(lanes.source, lanes.lane, 1, [disproof(0, 1)])
    assert await progress(lanes) == (RangeSet.of([0]), 0)


async def test_a_packet_whose_day_is_noted_and_not_dropped_yet_stays_as_it_ended(
    postgres: PostgresRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = await completed(postgres, 1)
    await drop_timeouts(lanes)
    await age(postgres)

    async def cut(*_: object) -> None:
        raise asyncpg.AdminShutdownError("stopped")

    monkeypatch.setattr("hub.registry.retention._drop", cut)
    with pytest.raises(HubError):
        await postgres.retire(30, "ydhub-server")
    with pytest.raises(SequenceRetired):
        await postgres.outcomes.reopen(lanes.source, lanes.lane, 1, [disproof(0, 1)])
    assert await progress(lanes) == (RangeSet.of([0]), 0)
    assert await postgres.exceptions.among(lanes.lane, SEQUENCES) == []
