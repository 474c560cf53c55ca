"""Waiting for something, but not longer than a limit on the process's own clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from hub.core.errors import AnswerOverdue
from hub.core.time import MILLISECOND

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hub.core.time import Duration
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
