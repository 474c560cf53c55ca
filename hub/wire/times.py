"""Timestamps and durations of protobuf, to integers of nanoseconds and back."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration as ProtoDuration
from google.protobuf.timestamp_pb2 import Timestamp as ProtoTimestamp

from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Duration, Timestamp

_MAX_SECONDS = (2**63 - 1) // SECOND - 1


def timestamp_to_proto(at: Timestamp) -> ProtoTimestamp:
    """*at* (ns since the epoch) as a message."""
    seconds, nanos = divmod(at, SECOND)
    return ProtoTimestamp(seconds=seconds, nanos=nanos)


def timestamp_from_proto(at: ProtoTimestamp) -> Timestamp:
    """*at* in nanoseconds since the epoch; of a message that the hub has sent."""
    return Timestamp(at.seconds * SECOND + at.nanos)


def duration_to_proto(duration: Duration) -> ProtoDuration:
    """*duration* (ns, not negative) as a message."""
    seconds, nanos = divmod(duration, SECOND)
    return ProtoDuration(seconds=seconds, nanos=nanos)


def duration_from_proto(duration: ProtoDuration, field: str) -> Duration:
    """*duration* in nanoseconds, not negative; *field* names it. Raises ``FieldInvalid``."""
    if not (0 <= duration.seconds <= _MAX_SECONDS and 0 <= duration.nanos < SECOND):
        raise FieldInvalid(field=field, problem="is negative, or over 292 years")
    return Duration(duration.seconds * SECOND + duration.nanos)
