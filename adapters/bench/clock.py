"""The machine's clocks, for measuring."""

from __future__ import annotations

import time

from hub.core.time import Timestamp


def now() -> Timestamp:
    """The wall clock (ns), which headers and certificates are dated by."""
    return Timestamp(time.time_ns())


def monotonic() -> int:
    """A clock that never steps back (ns), the same in all processes of a machine."""
    return time.monotonic_ns()


def used() -> int:
    """CPU time of this process so far (ns)."""
    return time.process_time_ns()
