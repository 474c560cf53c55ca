"""Sets of integers as Postgres writes an ``int8multirange``, and back."""

from __future__ import annotations

from typing import Final

from hub.core.ranges import EMPTY, RangeSet
from hub.registry.narrow import MAX_END

_GATHERED: Final = """
    SELECT lane_id, range_agg(int8range(low, high)) AS kept FROM (
        SELECT lane_id, min(number) AS low, max(number) + 1 AS high FROM (
            SELECT lane_id, {number} AS number,
                {number} - row_number() OVER (PARTITION BY lane_id ORDER BY {number}) AS run
            FROM {records} f
        ) numbered GROUP BY lane_id, run
    ) runs GROUP BY lane_id
"""


def gathered(number: str, records: str) -> str:
    """The query of the ranges, ``kept``, of each lane's *number* in *records*, a table or a query.

    Runs of neighbours are found first: to gather a range for each of ten million records takes
    gigabytes, and no patience ends it.
    """
    return _GATHERED.replace("{number}", number).replace("{records}", records)


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
