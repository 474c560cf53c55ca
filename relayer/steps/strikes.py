"""How long a peer is slowed whose evidence has failed again and again: pure, times are arguments.

Failures are forgiven one by one as time passes. A peer that has more of them than an honest one has
by accident waits before the next try, twice as long with each further failure.

Source: reliability notes section 4, "flood of valid-looking proofs".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.core.time import MILLISECOND, SECOND, Duration, Timestamp

FREE: Final = 32
"""Failures that cost nothing yet."""
FORGIVEN_EVERY: Final = Duration(SECOND)
FIRST: Final = Duration(250 * MILLISECOND)
LONGEST: Final = Duration(15 * SECOND)


@dataclass(frozen=True, slots=True)
class Strikes:
    """Failures that count still, and until when the peer waits."""

    failures: int = 0
    since: Timestamp = Timestamp(0)
    """From when on the next one is forgiven after its time (monotonic ns)."""
    waits_until: Timestamp = Timestamp(0)


def failed(strikes: Strikes, now: Timestamp) -> Strikes:
    """*strikes* after a further failure at *now* (monotonic ns)."""
    forgiven = (now - strikes.since) // FORGIVEN_EVERY if strikes.failures else 0
    left = max(0, strikes.failures - forgiven)
    since = Timestamp(strikes.since + forgiven * FORGIVEN_EVERY) if left else now
    count = min(left + 1, FREE + LONGEST // FIRST)
    over = count - FREE
    wait = min(LONGEST, FIRST << (over - 1)) if over > 0 else 0
    return Strikes(count, since, Timestamp(now + wait))


def wait(strikes: Strikes, now: Timestamp) -> Duration:
    """How long the peer waits from *now* (monotonic ns) until its next try; 0 if it may try."""
    return Duration(max(0, strikes.waits_until - now))
