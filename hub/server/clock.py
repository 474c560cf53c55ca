"""The machine's clocks, as the Clock port."""

from __future__ import annotations

import asyncio
import time

from hub.core.time import SECOND, Duration, Timestamp


class SystemClock:
    """``hub.ports.clock.Clock`` of this machine."""

    def now(self) -> Timestamp:
        """The wall clock (ns since the epoch)."""
        return Timestamp(time.time_ns())

    def monotonic(self) -> Timestamp:
        """A clock that never steps back (ns)."""
        return Timestamp(time.monotonic_ns())

    async def sleep(self, duration: Duration) -> None:
        """Returns *duration* (ns) later."""
        await asyncio.sleep(duration / SECOND)
