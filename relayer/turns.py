"""Whose attempt is next, where many lanes share one chain: fair, whatever waits in each of them.

A chain takes so many attempts at once as its adapter has granted. The lane with the fewest under
way goes first, and among those the one that has waited longest; so a lane with a long backlog fills
what others leave, and yields as soon as they come.

Source: design section 5 (fairness; backpressure by credits, never by buffering without bound).
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Turns:
    """Attempts with one chain: those under way, and those that wait."""

    def __init__(self, limit: int) -> None:
        """At most *limit* attempts are under way at once."""
        self._free = limit
        self._running: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._line: list[tuple[int, int, str]] = []
        """(attempts under way, place, lane), a heap. An entry may be too low or of no use, but
        every lane that waits has one that is not too high."""
        self._places = 0

    @asynccontextmanager
    async def turn(self, lane: str) -> AsyncIterator[None]:
        """An attempt of *lane*, as soon as it is its turn."""
        await self._begin(lane)
        try:
            yield
        finally:
            self._end(lane)

    async def _begin(self, lane: str) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(lane, deque()).append(future)
        self._stand(lane)
        self._grant()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._end(lane)
            raise

    def _end(self, lane: str) -> None:
        self._free += 1
        self._running[lane] -= 1
        if not self._running[lane]:
            del self._running[lane]
        if lane in self._waiting:
            self._stand(lane)
        self._grant()

    def _stand(self, lane: str) -> None:
        """*lane* has an entry that is not too high."""
        self._places += 1
        heapq.heappush(self._line, (self._running[lane], self._places, lane))

    def _grant(self) -> None:
        while self._free and self._line:
            running, place, lane = heapq.heappop(self._line)
            waiting = self._waiting.get(lane)
            if waiting is None:
                continue
            if running < self._running[lane]:
                heapq.heappush(self._line, (self._running[lane], place, lane))
                continue
            future = waiting.popleft()
            if not waiting:
                del self._waiting[lane]
            if not future.done():
                self._free -= 1
                self._running[lane] += 1
                future.set_result(None)
            if waiting:
                self._stand(lane)
