"""Sets of integers as Postgres writes an ``int8multirange``, and back."""

from __future__ import annotations

from hub.core.ranges import EMPTY, RangeSet


def to_text(numbers: RangeSet) -> str:
    """The literal of *numbers*, as ``{[1,5),[7,9)}``."""
    return "{" + ",".join([f"[{low},{high})" for low, high in numbers.ranges]) + "}"


def from_text(literal: str) -> RangeSet:
    """The set that Postgres writes as *literal*; finite."""
    if literal == "{}":
        return EMPTY
    spans = [span.split(",") for span in literal[2:-2].split("),[")]
    return RangeSet(tuple([(int(low), int(high)) for low, high in spans]))
