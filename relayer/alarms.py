"""Wakes whoever waits for a time: one task sleeps for all of them, until the next one is due.

So what waits for nothing costs nothing, however many there are. Who wants to be woken later than
before is left where it stands, and sets its alarm anew when it is woken too early.
"""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING, Protocol

from hub.core.time import Duration

if TYPE_CHECKING:
    from hub.core.time import Timestamp
    from hub.ports.clock import Clock


class Sleeper(Protocol):
    """Who is woken."""

    alarm: Timestamp | None
    """When that is at the latest; None where it waits for nothing. ``Alarms`` alone sets it."""

    def rung(self) -> None:
        """Its time has come, or one before."""
        ...


class Alarms:
    """Everything that waits for a time, the next one first."""

    def __init__(self, clock: Clock) -> None:
        """Nothing waits."""
        self.clock = clock
        self._line: list[tuple[Timestamp, int, Sleeper]] = []
        self._count = 0
        self._is_earlier = asyncio.Event()

    def __len__(self) -> int:
        return len(self._line)

    def wake(self, sleeper: Sleeper, due: Timestamp) -> None:
        """*sleeper* is woken at *due* (monotonic ns), or before."""
        if sleeper.alarm is not None and sleeper.alarm <= due:
            return
        sleeper.alarm = due
        self._count += 1
        heapq.heappush(self._line, (due, self._count, sleeper))
        if self._line[0][2] is sleeper:
            self._is_earlier.set()

    async def run(self) -> None:
        """Wakes whose time has come, for ever."""
        while True:
            self._is_earlier.clear()
            if not self._line:
                await self._is_earlier.wait()
                continue
            await self._until(self._line[0][0] - self.clock.monotonic())
            self.ring()

    def ring(self) -> None:
        """Everyone whose time has come is woken."""
        now = self.clock.monotonic()
        while self._line and self._line[0][0] <= now:
            due, _, sleeper = heapq.heappop(self._line)
            if sleeper.alarm == due:
                sleeper.alarm = None
                sleeper.rung()

    async def _until(self, wait: int) -> None:
        """Returns after *wait* (ns), or when somebody waits for an earlier time."""
        if wait <= 0:
            return
        sleep = asyncio.ensure_future(self.clock.sleep(Duration(wait)))
        earlier = asyncio.ensure_future(self._is_earlier.wait())
        try:
            await asyncio.wait([sleep, earlier], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            earlier.cancel()
