from __future__ import annotations

import asyncio

import pytest

from hub.core.errors import RegistryUnreachable
from hub.core.time import SECOND, Duration
from relayer.rounds import Rounds, until_next
from tests.harness.clock import ManualClock

LENGTH = Duration(5 * SECOND)


async def test_work_is_done_once_a_round_whoever_asks() -> None:
    clock, done = ManualClock(), 0
    rounds = Rounds(clock, LENGTH)

    async def work() -> None:
        nonlocal done
        await asyncio.sleep(0)
        done += 1

    await asyncio.gather(rounds.once(work), rounds.once(work))
    await rounds.once(work)
    assert done == 1
    await clock.advance(LENGTH)
    await rounds.once(work)
    assert done == 2


async def test_work_that_failed_is_done_by_the_next_who_asks() -> None:
    rounds, done = Rounds(ManualClock(), LENGTH), []

    async def fails() -> None:
        raise RegistryUnreachable(problem="away")

    async def works() -> None:
        done.append(1)

    with pytest.raises(RegistryUnreachable):
        await rounds.once(fails)
    await rounds.once(works)
    assert done == [1]


async def test_a_round_begins_at_one_moment_for_all() -> None:
    clock = ManualClock()
    rounds, begun = Rounds(clock, LENGTH), []

    async def wait(name: str) -> None:
        await (rounds.next() if name == "a" else until_next(clock, LENGTH))
        begun.append(name)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wait("a"))
        await clock.advance(Duration(2 * SECOND))
        tasks.create_task(wait("b"))
        await clock.advance(Duration(LENGTH - clock.monotonic() % LENGTH - 1))
        assert begun == []
        await clock.advance(Duration(1))
        assert begun == ["a", "b"]
