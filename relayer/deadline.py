"""Waiting for something, but not longer than a limit on the process's own clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from hub.core.errors import AnswerOverdue
from hub.core.time import MILLISECOND, Duration, Timestamp

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hub.ports.clock import Clock

T = TypeVar("T")


async def within(clock: Clock, limit: Duration, what: str, work: Awaitable[T]) -> T:
    """What *work* returns, if it does within *limit* (ns); else it is cancelled.

    Raises ``AnswerOverdue``, which says that *what* is missing.
    """
    task = asyncio.ensure_future(work)
    timer = asyncio.ensure_future(clock.sleep(limit))
    try:
        await asyncio.wait((task, timer), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise AnswerOverdue(what=what, waited_ms=limit // MILLISECOND)
        return task.result()
    finally:
        task.cancel()
        timer.cancel()


class Deadlines(Generic[T]):
    """Futures that all have the same limit: one timer watches the oldest, however many there are.

    A timer of its own for each would cost a frame more than its work does.
    """

    def __init__(self, clock: Clock, limit: Duration) -> None:
        """Nothing is waited for; what will be has *limit* (ns)."""
        self._clock = clock
        self._limit = limit
        self._waiting: dict[asyncio.Future[T], tuple[Timestamp, str]] = {}
        """When each is overdue, and what is missing then; the oldest first."""
        self._timer: asyncio.Task[None] | None = None

    async def meet(self, what: str, future: asyncio.Future[T]) -> T:
        """What *future* brings in time. Raises ``AnswerOverdue``: *what* is missing."""
        self._waiting[future] = (Timestamp(self._clock.monotonic() + self._limit), what)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().create_task(self._watch())
        try:
            return await future
        finally:
            del self._waiting[future]

    def close(self) -> None:
        """Nothing is watched any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _watch(self) -> None:
        while self._waiting:
            future, (due, what) = next(iter(self._waiting.items()))
            left = Duration(due - self._clock.monotonic())
            if left > 0:
                await self._clock.sleep(left)
                continue
            if not future.done():
                waited_ms = self._limit // MILLISECOND
                future.set_exception(AnswerOverdue(what=what, waited_ms=waited_ms))
            await asyncio.sleep(0)  # whoever waits for it takes it off
        self._timer = None
