"""Time and chance, as arguments that can be moved by hand; and the machine's own."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Protocol

from hub.core.time import SECOND, Duration, Timestamp


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> Timestamp:
        """The wall clock (ns since the epoch, UTC)."""
        ...

    def monotonic(self) -> Timestamp:
        """A clock that never steps back (ns from an arbitrary point)."""
        ...

    async def sleep(self, duration: Duration) -> None:
        """Returns *duration* (ns) later."""
        ...


class Randomness(Protocol):
    """Gives chance, for jitter alone; never for keys."""

    def below(self, bound: int) -> int:
        """An integer from 0 up to, not including, *bound*."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Timestamp:
        """The wall clock (ns since the epoch, UTC)."""
        return Timestamp(time.time_ns())

    def monotonic(self) -> Timestamp:
        """A clock that never steps back (ns from an arbitrary point)."""
        return Timestamp(time.monotonic_ns())

    async def sleep(self, duration: Duration) -> None:
        """Returns *duration* (ns) later."""
        await asyncio.sleep(duration / SECOND)


class SystemRandomness:
    """The machine's chance."""

    def below(self, bound: int) -> int:
        """An integer from 0 up to, not including, *bound*."""
        return secrets.randbelow(bound)
