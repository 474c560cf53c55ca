from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.core.errors import RegistryUnreachable, StandbyMissing
from hub.core.time import MILLISECOND, SECOND, Duration, Timestamp
from hub.exchange.vitals import BEAT, BEATS, measure, watch
from hub.registry.memory import MemoryRegistry
from tests.harness.clock import ManualClock, settle

if TYPE_CHECKING:
    import pytest

    from hub.core.census import Vitals


class LateClock(ManualClock):
    """Wakes those who sleep later than they asked for."""

    def __init__(self, *late: int) -> None:
        super().__init__()
        self._late = list(late)

    async def sleep(self, duration: Duration) -> None:
        self._now += duration + (self._late.pop(0) if self._late else 0)


async def test_the_latest_timer_of_five_counts() -> None:
    late = (0, 3 * MILLISECOND, 70 * MILLISECOND, 0, 1)
    assert len(late) == BEATS
    found = await measure(MemoryRegistry(), LateClock(*late))
    assert found.loop_lag == 70 * MILLISECOND
    assert found.database_latency == 0


async def test_a_registry_that_does_not_answer_has_no_latency(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = MemoryRegistry()

    async def away() -> Timestamp:
        raise RegistryUnreachable(problem="away")

    monkeypatch.setattr(registry.audit, "clock", away)
    found = await measure(registry, LateClock())
    assert (found.database_latency, found.clock_skew) == (None, 0)


async def test_a_database_that_takes_no_changes_is_told_as_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = MemoryRegistry()

    async def degraded() -> None:
        raise StandbyMissing(problem="none streams")

    monkeypatch.setattr(registry.audit, "ready", degraded)
    assert (await measure(registry, LateClock())).database_latency is None


async def test_skew_is_counted_from_the_middle_of_the_round_trip(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry, clock = MemoryRegistry(), LateClock()

    async def slow() -> Timestamp:
        await clock.sleep(Duration(10 * MILLISECOND))
        answer = Timestamp(clock.now() + SECOND)
        await clock.sleep(Duration(10 * MILLISECOND))
        return answer

    monkeypatch.setattr(registry.audit, "clock", slow)
    found = await measure(registry, clock)
    assert found.database_latency == 20 * MILLISECOND
    assert found.clock_skew == SECOND


async def test_it_is_told_again_and_again() -> None:
    clock = ManualClock()
    told: list[Vitals] = []
    watching = asyncio.ensure_future(watch(MemoryRegistry(), clock, told.append))
    await settle()
    assert told == []
    await clock.advance(Duration(BEATS * BEAT))
    await clock.advance(Duration(BEATS * BEAT))
    assert len(told) == 2
    watching.cancel()
