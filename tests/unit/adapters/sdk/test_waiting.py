from __future__ import annotations

import asyncio

import pytest

from adapters.sdk.waiting import rest, within
from hub.core.time import SECOND
from tests.harness.clock import ManualClock, settle


async def number(event: asyncio.Event) -> int:
    await event.wait()
    return 7


async def test_what_comes_in_time_is_returned() -> None:
    clock, event = ManualClock(), asyncio.Event()
    task = asyncio.ensure_future(within(number(event), clock, SECOND))
    await settle()
    event.set()
    assert await task == 7
    assert not clock.is_awaited


async def test_what_does_not_come_in_time_is_cancelled() -> None:
    clock, event = ManualClock(), asyncio.Event()
    task = asyncio.ensure_future(within(number(event), clock, SECOND))
    await settle()
    await clock.advance(SECOND)
    with pytest.raises(TimeoutError):
        await task
    assert not event._waiters


async def test_without_a_limit_it_may_take_for_ever() -> None:
    event = asyncio.Event()
    event.set()
    assert await within(number(event), ManualClock(), None) == 7


async def test_a_failure_is_passed_on() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await within(fail(), ManualClock(), SECOND)


async def test_cancelling_the_waiter_cancels_the_work() -> None:
    clock, event = ManualClock(), asyncio.Event()
    task = asyncio.ensure_future(within(number(event), clock, SECOND))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not clock.is_awaited


async def test_a_rest_ends_by_the_event_or_by_time() -> None:
    clock, event = ManualClock(), asyncio.Event()
    resting = asyncio.ensure_future(rest(event, clock, SECOND))
    await settle()
    await clock.advance(SECOND)
    await resting
    event.set()
    await rest(event, clock, None)
