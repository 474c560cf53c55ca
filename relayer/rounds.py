"""Rounds of time, which begin at the same moment for all sessions of a process.

What many sessions ask of the registry, one of them asks for all of them once a round.

Source: design section 5 ("a slow poll stands behind the hints").
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.core.time import Duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub.ports.clock import Clock


class Rounds:
    """Rounds of one length, and whether this one's work is done."""

    def __init__(self, clock: Clock, length: Duration) -> None:
        """Nothing is done yet; a round lasts *length* (ns)."""
        self._clock = clock
        self._length = length
        self._working = asyncio.Lock()
        self._done = -1
        """The last round whose work is done."""

    async def next(self) -> None:
        """Returns when the next round begins."""
        await until_next(self._clock, self._length)

    async def once(self, work: Callable[[], Awaitable[None]]) -> None:
        """The round's *work* is done: by this call, or by one before it that did not fail."""
        async with self._working:
            now = self._clock.monotonic() // self._length
            if now > self._done:
                await work()
                self._done = now


async def until_next(clock: Clock, length: Duration) -> None:
    """Returns when the next round of *length* (ns) begins."""
    await clock.sleep(Duration(length - clock.monotonic() % length))
