"""The database's times, which count microseconds, as nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from hub.core.time import Timestamp

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS: Final = 1000
_DAY: Final = 86_400
_SECOND: Final = 1_000_000


def timestamp(at: datetime) -> Timestamp:
    """*at* in nanoseconds, exactly."""
    past = at - _EPOCH
    seconds = past.days * _DAY + past.seconds
    return Timestamp((seconds * _SECOND + past.microseconds) * _NS)


def lasting(duration: int) -> timedelta:
    """*duration* (ns) in the database's unit, rounded up."""
    return timedelta(microseconds=-(-duration // _NS))


def date_time(at: Timestamp) -> datetime:
    """*at* in the database's unit, rounded down."""
    return _EPOCH + timedelta(microseconds=at // _NS)
