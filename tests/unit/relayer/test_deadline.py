from __future__ import annotations

import asyncio

import pytest

from hub.core.errors import AnswerOverdue, PeerNotFound
from hub.core.time import SECOND, Duration
from relayer.deadline import within
from tests.harness.clock import ManualClock, settle

LIMIT = Duration(5 * SECOND)


async def test_what_comes_in_time_is_returned() -> None:
    async def work() -> int:
        return 7

    assert await within(ManualClock(), LIMIT, "an answer", work()) == 7


async def test_what_fails_in_time_fails_the_same_way() -> None:
    async def work() -> None:
        raise PeerNotFound(name="peers/nobody")

    with pytest.raises(PeerNotFound):
        await within(ManualClock(), LIMIT, "an answer", work())


async def test_what_does_not_come_is_overdue_and_cancelled() -> None:
    clock, stopped = ManualClock(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    waiting = asyncio.ensure_future(within(clock, LIMIT, "an answer", work()))
    await settle()
    await clock.advance(LIMIT)
    with pytest.raises(AnswerOverdue) as found:
        await waiting
    assert (found.value.what, found.value.waited_ms) == ("an answer", 5000)
    await settle()
    assert stopped.is_set()
