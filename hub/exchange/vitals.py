"""How a process is: whether its event loop keeps time, and whether its database answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from hub.core.census import Vitals
from hub.core.errors import HubError
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.ports.clock import Clock
    from hub.ports.registry import Registry

BEAT: Final = Duration(SECOND)
BEATS: Final = 5
"""Timers whose worst is told."""
ANSWER_WITHIN_S: Final = 2


async def watch(registry: Registry, clock: Clock, tell: Callable[[Vitals], None]) -> None:
    """Tells how the process is, once every five seconds, until cancelled."""
    while True:
        tell(await measure(registry, clock))


async def measure(registry: Registry, clock: Clock) -> Vitals:
    """How the process has been for five seconds."""
    lag = 0
    for _ in range(BEATS):
        due = clock.monotonic() + BEAT
        await clock.sleep(BEAT)
        lag = max(lag, clock.monotonic() - due)
    asked = clock.monotonic()
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            theirs = await registry.audit.clock()
            latency, heard = clock.monotonic() - asked, clock.now()
            await registry.audit.ready()
    except (HubError, TimeoutError, OSError):
        return Vitals(loop_lag=Duration(lag), database_latency=None, clock_skew=0)
    # The answer is of a moment half a round trip ago.
    skew = theirs - heard + latency // 2
    return Vitals(loop_lag=Duration(lag), database_latency=Duration(latency), clock_skew=skew)
