"""Time in integers: nanoseconds since the Unix epoch, UTC."""

from __future__ import annotations

from typing import NewType

Timestamp = NewType("Timestamp", int)
"""Nanoseconds since 1970-01-01T00:00:00Z."""

Duration = NewType("Duration", int)
"""Nanoseconds."""

SECOND = Duration(1_000_000_000)
MILLISECOND = Duration(1_000_000)


def whole_seconds(at: Timestamp) -> int:
    """*at* (ns) in whole seconds, rounded down: the unit in which timeouts are judged.

    Source: ibc-go v10 04-channel/v2, timeout_timestamp in seconds.
    """
    return at // SECOND
