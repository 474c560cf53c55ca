"""When to try again: exponential with full jitter, from the number of tries and a chance."""

from __future__ import annotations

from typing import Final

from hub.core.time import MILLISECOND, SECOND, Duration

FIRST: Final = Duration(250 * MILLISECOND)
LONGEST: Final = Duration(15 * SECOND)
CHANCES: Final = 1 << 16
"""A chance is an integer from 0 up to, not including, this."""


def delay(tries: int, chance: int, *, longest: Duration = LONGEST) -> Duration:
    """How long to wait (ns) after *tries* failed tries, 1 or more.

    The span doubles from ``FIRST`` up to *longest* (ns), and the whole of it is jittered.
    """
    ceiling = min(longest, FIRST << min(tries - 1, 16))
    return Duration(ceiling * (chance + 1) // CHANCES)
