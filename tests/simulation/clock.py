"""Clocks and chance of the simulation's processes: each its own, all from one seed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.core.time import Duration, Timestamp
from tests.harness.clock import START

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.loop import SimLoop


class SimClock:
    """One process's clocks: its wall clock may be off, and may step; the other never steps."""

    def __init__(self, loop: SimLoop, *, origin: int = 0) -> None:
        """Right, until it is told otherwise; *origin* (ns) is where the steady one began."""
        self.skew = 0
        """Nanoseconds by which the wall clock is ahead."""
        self._loop = loop
        self._origin = origin

    def now(self) -> Timestamp:
        """The wall clock (ns)."""
        return Timestamp(START + self._loop.now + self.skew)

    def monotonic(self) -> Timestamp:
        """A clock that never steps back (ns)."""
        return Timestamp(self._origin + self._loop.now)

    async def sleep(self, duration: Duration) -> None:
        """Returns *duration* (ns) later."""
        if duration <= 0:
            await asyncio.sleep(0)
            return
        future = self._loop.create_future()
        handle = self._loop.call_at_ns(self._loop.now + int(duration), _wake, future)
        try:
            await future
        finally:
            handle.cancel()


class SimChance:
    """One process's chance."""

    def __init__(self, source: Random) -> None:
        """Drawn from *source*."""
        self._source = source

    def below(self, bound: int) -> int:
        """An integer from 0 up to, not including, *bound*."""
        return self._source.randrange(bound)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
