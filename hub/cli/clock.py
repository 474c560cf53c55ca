"""The machine's clock, for commands that judge by time."""

from __future__ import annotations

import time

from hub.core.time import Timestamp


def wall_clock() -> Timestamp:
    """Now (ns since the epoch)."""
    return Timestamp(time.time_ns())
