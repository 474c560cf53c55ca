"""A token bucket in one number: pure, times are arguments.

The number is when the bucket would be full again, had nothing been taken since: what is taken moves
it on by the time in which as much flows in. So nothing is rounded away, and nothing runs meanwhile.

Source: ITU-T I.371, the generic cell rate algorithm (virtual scheduling).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.time import Duration, Timestamp

if TYPE_CHECKING:
    from hub.core.lane import RateLimit

FULL = Timestamp(0)


def wait(full_at: Timestamp, limit: RateLimit, now: Timestamp) -> Duration:
    """How long from *now* until the next packet may be taken (ns); 0 if it may be."""
    each = limit.period // limit.packets
    return Duration(max(0, full_at + each - limit.burst * each - now))


def taken(full_at: Timestamp, limit: RateLimit, now: Timestamp) -> Timestamp:
    """The bucket after one more packet is taken, allowed or not."""
    return Timestamp(max(full_at, now) + limit.period // limit.packets)
