"""Sets of integers as Postgres writes an ``int8multirange``, and back."""

from __future__ import annotations

from hub.core.ranges import EMPTY, RangeSet
from hub.registry.narrow import MAX_END


def to_text(numbers: RangeSet) -> str:
    """The literal of *numbers*, as ``{[1,5),[7,9)}``; unbounded where it ends too high."""
    spans = [f"[{low},{high if high <= MAX_END else ''})" for low, high in numbers.ranges]
    return "{" + ",".join(spans) + "}"


def bounds(numbers: RangeSet) -> tuple[list[int], list[int]]:
    """The first integer of each range, and the first one after it."""
    lows = [low for low, _ in numbers.ranges]
    return lows, [min(high, MAX_END) for _, high in numbers.ranges]


def from_text(literal: str) -> RangeSet:
    """The set that Postgres writes as *literal*; finite."""
    if literal == "{}":
        return EMPTY
    spans = [span.split(",") for span in literal[2:-2].split("),[")]
    return RangeSet(tuple([(int(low), int(high)) for low, high in spans]))
