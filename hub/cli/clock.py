"""The machine's clocks, for commands that judge by time, or measure it."""

from __future__ import annotations

import time

from hub.core.time import Timestamp


def wall_clock() -> Timestamp:
    """Now (ns since the epoch)."""
    return Timestamp(time.time_ns())


def monotonic() -> int:
    """A clock that never steps back (ns), the same in all processes of a machine."""
    return time.monotonic_ns()
