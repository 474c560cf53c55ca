"""What exceptions mean for a lane's way out: what stays where it is, and what is tried again.

A packet that an operator retries is no longer PARKED in the registry, but RETRY. A flow that still
holds it as parked has not heard of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import ExceptionKind
from relayer.steps.flow import known

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hub.core.record import PacketException
    from hub.core.time import Timestamp
    from relayer.steps.flow import Flow

_EXCLUDED: Final = (ExceptionKind.DENIED, ExceptionKind.HOLE, ExceptionKind.PARKED)


def excluded(found: Mapping[ExceptionKind, RangeSet]) -> RangeSet:
    """Sequences that are not delivered, though they are open."""
    return union([found.get(kind, EMPTY) for kind in _EXCLUDED])


def retries(found: Mapping[ExceptionKind, RangeSet]) -> RangeSet:
    """Sequences that are to be tried again."""
    return found.get(ExceptionKind.RETRY, EMPTY)


def union(parts: Iterable[RangeSet]) -> RangeSet:
    """What is in any of *parts*."""
    found = EMPTY
    for part in parts:
        found |= part
    return found


def due_retries(found: Iterable[PacketException], now: Timestamp) -> RangeSet:
    """Sequences that are to be tried again by *now*, by the registry's clock."""
    return RangeSet.of(
        [
            one.sequence
            for one in found
            if one.kind is ExceptionKind.RETRY
            and one.next_attempt_at is not None
            and one.next_attempt_at <= now
        ]
    )


def unparked(sequences: RangeSet, flow: Flow) -> RangeSet:
    """Those of *sequences* that *flow* holds as parked, or not at all."""
    return sequences - (known(flow) - flow.parked)


def waiting(flow: Flow) -> RangeSet:
    """Items that *flow* does not try now: parked ones, and those of a later time."""
    found = flow.parked
    for delayed in flow.later:
        found |= delayed.items
    return found
