"""Time and chance that a test moves by hand."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING

from hub.core.time import SECOND, Duration, Timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

WITHIN_S = 10
"""A test that waits longer has failed."""
START = Timestamp(1_790_000_000 * SECOND)


class ManualClock:
    """Stands still until it is advanced; whoever sleeps wakes in the order of their times."""

    def __init__(self, start: Timestamp = START) -> None:
        self._now = int(start)
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> Timestamp:
        return Timestamp(self._now)

    def monotonic(self) -> Timestamp:
        return Timestamp(self._now)

    async def sleep(self, duration: Duration) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + duration, self._count, future))
        await future

    @property
    def is_awaited(self) -> bool:
        """Whether somebody sleeps."""
        return any(not future.done() for _, _, future in self._sleepers)

    async def advance(self, duration: Duration) -> None:
        """*duration* (ns) passes; everything that wakes has run as far as it could."""
        end = self._now + duration
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not future.done():
                future.set_result(None)
                await settle()
        self._now = end
        await settle()


class FixedChance:
    """The same chance again and again, as a share of the bound."""

    def __init__(self, numerator: int = 1, denominator: int = 2) -> None:
        self._share = (numerator, denominator)

    def below(self, bound: int) -> int:
        return bound * self._share[0] // self._share[1]


async def until(happened: Callable[[], object]) -> None:
    """Returns when other tasks, or the network, have brought it about."""
    async with asyncio.timeout(WITHIN_S):
        while not happened():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        await settle()


async def settle() -> None:
    """Everything that is ready on this loop has run; what the network brings is not waited for."""
    for _ in range(20):
        await asyncio.sleep(0)
