from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from relayer.room import Room
from tests.harness.clock import settle


class Holders:
    """Who holds room, until the test ends it."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.begun: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def want(self, name: str, size: int) -> None:
        """*name* wants room; its letter is whose it is."""
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.ensure_future(self._hold(name, size))
        await settle()

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await settle()

    async def give_up(self, name: str) -> None:
        self.tasks[name].cancel()
        await settle()

    async def _hold(self, name: str, size: int) -> None:
        async with self.room.hold(name[0], size=size):
            self.begun.append(name)
            await self.ends[name].wait()


@pytest.fixture
async def holders() -> Holders:
    return Holders(Room(10))


async def test_room_is_held_as_long_as_there_is_some(holders: Holders) -> None:
    await holders.want("a1", 6)
    await holders.want("a2", 4)
    await holders.want("a3", 1)
    assert (holders.begun, holders.room.held) == (["a1", "a2"], 10)
    await holders.end("a2")
    assert (holders.begun, holders.room.held) == (["a1", "a2", "a3"], 7)
    await holders.end("a1")
    await holders.end("a3")
    assert holders.room.held == 0


async def test_who_wants_more_than_there_is_has_it_alone(holders: Holders) -> None:
    await holders.want("a1", 1)
    await holders.want("b1", 99)
    await holders.want("c1", 1)
    assert holders.begun == ["a1"]
    await holders.end("a1")
    assert holders.begun == ["a1", "b1"]
    await holders.end("b1")
    assert (holders.begun, holders.room.held) == (["a1", "b1", "c1"], 1)


async def test_who_holds_the_least_is_next(holders: Holders) -> None:
    await holders.want("a1", 5)
    await holders.want("a2", 5)
    for name in ("a3", "a4", "b1"):
        await holders.want(name, 5)
    await holders.end("a1")  # a3 stood first in line before b came
    await holders.end("a2")
    assert holders.begun == ["a1", "a2", "a3", "b1"]


async def test_who_gives_up_holds_and_delays_nothing(holders: Holders) -> None:
    await holders.want("a1", 8)
    await holders.want("b1", 9)
    await holders.want("c1", 2)
    assert holders.begun == ["a1"]
    await holders.give_up("b1")
    assert (holders.begun, holders.room.held) == (["a1", "c1"], 10)
    await holders.give_up("a1")
    await holders.give_up("c1")
    assert holders.room.held == 0


async def test_who_gives_up_just_when_it_is_its_turn_holds_nothing() -> None:
    room = Room(1)
    async with AsyncExitStack() as held:
        await held.enter_async_context(room.hold("a", size=1))
        waiting = asyncio.ensure_future(held.enter_async_context(room.hold("b", size=1)))
        await settle()
        closing = asyncio.ensure_future(held.aclose())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, closing, return_exceptions=True)
    assert room.held == 0
