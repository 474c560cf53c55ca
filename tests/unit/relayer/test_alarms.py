from __future__ import annotations

import asyncio

from hub.core.time import SECOND, Duration, Timestamp
from relayer.alarms import Alarms
from tests.harness.clock import ManualClock, settle


class Sleeper:
    """Notes when it was woken."""

    def __init__(self, clock: ManualClock) -> None:
        self.alarm: Timestamp | None = None
        self.woken: list[int] = []
        self._clock = clock

    def rung(self) -> None:
        self.woken.append(self._clock.monotonic())


def after(clock: ManualClock, seconds: int) -> Timestamp:
    return Timestamp(clock.monotonic() + seconds * SECOND)


async def test_everyone_is_woken_when_its_time_has_come_and_once() -> None:
    clock = ManualClock()
    alarms, first, second = Alarms(clock), Sleeper(clock), Sleeper(clock)
    running = asyncio.ensure_future(alarms.run())
    await settle()
    late, soon = after(clock, 30), after(clock, 2)
    alarms.wake(first, late)
    await settle()
    alarms.wake(second, soon)
    await settle()
    for _ in range(40):
        await clock.advance(Duration(SECOND))
    assert (first.woken, second.woken) == ([late], [soon])
    assert (first.alarm, second.alarm, len(alarms)) == (None, None, 0)
    running.cancel()


async def test_a_later_time_leaves_one_where_it_stands_and_an_earlier_one_moves_it() -> None:
    clock = ManualClock()
    alarms, sleeper = Alarms(clock), Sleeper(clock)
    at = after(clock, 10)
    alarms.wake(sleeper, at)
    for seconds in range(11, 1000):
        alarms.wake(sleeper, after(clock, seconds))
    assert len(alarms) == 1
    alarms.wake(sleeper, after(clock, 5))
    await clock.advance(Duration(10 * SECOND))
    alarms.ring()
    assert sleeper.woken == [at]
    assert len(alarms) == 0


async def test_what_waits_for_nothing_has_no_task() -> None:
    clock = ManualClock()
    alarms = Alarms(clock)
    sleepers = [Sleeper(clock) for _ in range(10_000)]
    before = len(asyncio.all_tasks())
    running = asyncio.ensure_future(alarms.run())
    alarms.wake(sleepers[0], after(clock, 1))
    await settle()
    assert len(asyncio.all_tasks()) <= before + 3
    running.cancel()
