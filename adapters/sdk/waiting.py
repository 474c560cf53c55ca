"""Waiting for what comes first: something that happens, or a time on a clock moved by hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from adapters.sdk.clock import Clock
    from hub.core.time import Duration

T = TypeVar("T")


async def within(work: Coroutine[Any, Any, T], clock: Clock, limit: Duration | None) -> T:
    """What *work* returns, if it does within *limit* (ns); None is no limit.

    Raises ``TimeoutError``; *work* is cancelled then.
    """
    if limit is None:
        return await work
    task = asyncio.ensure_future(work)
    timer = asyncio.ensure_future(clock.sleep(limit))
    try:
        await asyncio.wait((task, timer), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        for pending in (task, timer):
            pending.cancel()
        await asyncio.gather(task, timer, return_exceptions=True)


async def rest(event: asyncio.Event, clock: Clock, limit: Duration | None) -> None:
    """Returns when *event* is set, or *limit* (ns) later."""
    try:
        await within(event.wait(), clock, limit)
    except TimeoutError:
        return
