"""When to try again: exponential with full jitter, from the number of tries and a chance."""

from __future__ import annotations

from typing import Final

from hub.core.time import MILLISECOND, SECOND, Duration

FIRST: Final = Duration(500 * MILLISECOND)
LONGEST: Final = Duration(60 * SECOND)
CHANCES: Final = 1 << 16
"""A chance is an integer from 0 up to, not including, this."""


def delay(tries: int, chance: int) -> Duration:
    """How long to wait (ns) after *tries* failed tries, 1 or more.

    Source: reliability notes, "Retry": 0.5 s doubling to 60 s, the whole span jittered.
    """
    ceiling = min(LONGEST, FIRST << min(tries - 1, 7))
    return Duration(ceiling * (chance + 1) // CHANCES)
