from __future__ import annotations

import asyncio

import pytest

from hub.core.errors import AdapterOffline, AnswerOverdue
from hub.core.time import SECOND, Duration
from relayer.deadline import within
from tests.harness.clock import ManualClock, settle

LIMIT = Duration(2 * SECOND)


async def test_what_comes_in_time_is_returned_and_nobody_sleeps_on() -> None:
    clock = ManualClock()

    async def answer() -> int:
        await clock.sleep(SECOND)
        return 7

    waiting = asyncio.ensure_future(within(clock, LIMIT, "answer", answer()))
    await settle()
    await clock.advance(SECOND)
    assert await waiting == 7
    await settle()
    assert not clock.is_awaited


async def test_what_does_not_come_is_cancelled_and_named() -> None:
    clock = ManualClock()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(within(clock, LIMIT, "answer", future))
    await settle()
    await clock.advance(LIMIT)
    with pytest.raises(AnswerOverdue) as caught:
        await waiting
    assert (caught.value.what, caught.value.waited_ms) == ("answer", 2000)
    await settle()
    assert future.cancelled()


async def test_a_failure_comes_through() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_exception(AdapterOffline(peer="hangzhou"))
    with pytest.raises(AdapterOffline):
        await within(ManualClock(), LIMIT, "answer", future)


async def test_cancelling_it_cancels_what_it_waits_for() -> None:
    clock = ManualClock()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(within(clock, LIMIT, "answer", future))
    await settle()
    waiting.cancel()
    await settle()
    assert future.cancelled()
    assert not clock.is_awaited
