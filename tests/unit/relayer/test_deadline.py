from __future__ import annotations

import asyncio

import pytest

from hub.core.errors import AdapterOffline, AnswerOverdue
from hub.core.time import SECOND, Duration
from relayer.deadline import Deadlines, within
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


class TestDeadlines:
    """One timer for many."""

    async def test_what_comes_in_time_is_returned(self) -> None:
        clock = ManualClock()
        deadlines: Deadlines[int] = Deadlines(clock, LIMIT)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(deadlines.meet("answer", future))
        await settle()
        future.set_result(7)
        assert await waiting == 7
        await clock.advance(LIMIT)
        assert not clock.is_awaited

    async def test_each_has_its_whole_time_and_is_named(self) -> None:
        clock = ManualClock()
        deadlines: Deadlines[int] = Deadlines(clock, LIMIT)
        futures = [asyncio.get_running_loop().create_future() for _ in range(2)]
        first = asyncio.ensure_future(deadlines.meet("first", futures[0]))
        await settle()
        await clock.advance(SECOND)
        second = asyncio.ensure_future(deadlines.meet("second", futures[1]))
        await settle()
        await clock.advance(SECOND)
        with pytest.raises(AnswerOverdue) as caught:
            await first
        assert (caught.value.what, caught.value.waited_ms) == ("first", 2000)
        assert not second.done()
        await clock.advance(Duration(SECOND - 1))
        assert not second.done()
        await clock.advance(Duration(1))
        with pytest.raises(AnswerOverdue) as caught:
            await second
        assert caught.value.what == "second"
        await clock.advance(LIMIT)
        assert not clock.is_awaited

    async def test_many_that_are_overdue_together_all_hear_it(self) -> None:
        clock = ManualClock()
        deadlines: Deadlines[int] = Deadlines(clock, LIMIT)
        waiting = [
            asyncio.ensure_future(
                deadlines.meet("answer", asyncio.get_running_loop().create_future())
            )
            for _ in range(3)
        ]
        await settle()
        await clock.advance(LIMIT)
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in found] == [AnswerOverdue] * 3

    async def test_one_that_is_cancelled_is_waited_for_no_more(self) -> None:
        clock = ManualClock()
        deadlines: Deadlines[int] = Deadlines(clock, LIMIT)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(deadlines.meet("answer", future))
        await settle()
        waiting.cancel()
        await settle()
        assert future.cancelled()
        await clock.advance(LIMIT)
        assert not clock.is_awaited

    async def test_closed_it_watches_nothing(self) -> None:
        clock = ManualClock()
        deadlines: Deadlines[int] = Deadlines(clock, LIMIT)
        deadlines.close()
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(deadlines.meet("answer", future))
        await settle()
        deadlines.close()
        await settle()
        assert not clock.is_awaited
        future.set_result(7)
        assert await waiting == 7
