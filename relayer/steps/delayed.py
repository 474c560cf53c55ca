"""Items that wait until a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.core.ranges import RangeSet
    from hub.core.time import Timestamp


@dataclass(frozen=True, slots=True)
class Delayed:
    """Items that wait until a time."""

    items: RangeSet
    due: Timestamp


def without(delayed: tuple[Delayed, ...], items: RangeSet) -> tuple[Delayed, ...]:
    """*delayed* without *items*; entries that have none of them stay as they are."""
    found: list[Delayed] = []
    for entry in delayed:
        left = entry.items - items
        if left is entry.items:
            found.append(entry)
        elif left:
            found.append(Delayed(left, entry.due))
    return tuple(found)
