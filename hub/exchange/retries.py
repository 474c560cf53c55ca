"""Parked packets, and those that wait for their next attempt, go back to work.

What a packet may do follows from proof alone, at its destination, so a retry can double nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.core.errors import FieldInvalid
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind
from hub.exchange.listing import START

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hub.core.lane import LaneKey
    from hub.ports.caller import Caller
    from hub.ports.packets import ExceptionFilter
    from hub.ports.registry import Registry

MAX_AT_ONCE: Final = 1000
"""Packets of one request."""
RETRIED: Final = frozenset({ExceptionKind.PARKED, ExceptionKind.RETRY})
"""What can be retried: a denied packet never is, and a hole is nobody's packet."""

Place = tuple["LaneKey", int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What a request to retry has done, or would do."""

    due: Sequence[Place]
    skipped: Sequence[Place]
    """Named, and with nothing to retry."""
    has_more: bool


async def retry_named(
    registry: Registry, packets: Sequence[Place], by: Caller, *, validate_only: bool
) -> Retried:
    """Those of *packets* that can be are due now.

    Raises ``LaneNotFound``, ``FieldInvalid``, ``RequestIdReused``.
    """
    if len(packets) > MAX_AT_ONCE:
        raise FieldInvalid(field="names", problem=f"has more than {MAX_AT_ONCE} entries")
    for key in {key for key, _ in packets}:
        await registry.lanes.get(key)
    picked = list(dict.fromkeys(packets))
    if validate_only:
        due = await _retriable(registry, picked)
    else:
        due = await _retry(registry, picked, by)
    return Retried(due=due, skipped=_without(picked, due), has_more=False)


async def retry_matching(
    registry: Registry, wanted: ExceptionFilter, limit: int, by: Caller, *, validate_only: bool
) -> Retried:
    """At most *limit* packets with such an exception are due now. Raises as ``retry_named``."""
    if wanted.kind not in RETRIED:
        raise FieldInvalid(field="exception", problem=f"is {wanted.kind}: only PARKED and RETRY go")
    if wanted.lane is not None:
        await registry.lanes.get(wanted.lane)
    found = await registry.exceptions.page(wanted, START, limit + 1)
    picked = [(one.lane, one.exception.sequence) for one in found[:limit]]
    due: Sequence[Place] = picked
    if not validate_only:
        due = await _retry(registry, picked, by)
    return Retried(due=due, skipped=(), has_more=len(found) > limit)


async def _retry(registry: Registry, picked: Sequence[Place], by: Caller) -> list[Place]:
    due = await registry.exceptions.retry(picked, by)
    return [(key, sequence) for key, sequences in due.items() for sequence in sequences]


async def _retriable(registry: Registry, picked: Sequence[Place]) -> list[Place]:
    asked: dict[LaneKey, list[int]] = defaultdict(list)
    for key, sequence in picked:
        asked[key].append(sequence)
    found: set[Place] = set()
    for key, sequences in asked.items():
        lane = await registry.lanes.get(key)
        exceptions = await registry.exceptions.among(lane.lane_id, RangeSet.of(sequences))
        found |= {(key, one.sequence) for one in exceptions if one.kind in RETRIED}
    return [place for place in picked if place in found]


def _without(picked: Sequence[Place], due: Collection[Place]) -> list[Place]:
    gone = set(due)
    return [place for place in picked if place not in gone]
