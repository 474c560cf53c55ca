"""Reading facts by key from partitions by day: the last two days first, the others only if needed.

What is asked for is nearly always recent, and each partition that a query looks into costs its own
descent of an index.

Plans are made once for a connection, often while a partition is still empty, so no query leaves it
to the planner's estimates whether a range is looked up by index: ``OFFSET 0`` keeps the lookup of
one range a lookup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import SequenceRetired
from hub.core.ranges import RangeSet
from hub.registry.multirange import bounds, from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable

_RECENT: Final = "BETWEEN current_date - 1 AND current_date"
_OLDER: Final = "< current_date - 1"

_RETIRED: Final = """
SELECT l.name, (r.sequences * $2::text::int8multirange)::text AS sequences,
    (r.settled * $2::text::int8multirange)::text AS settled,
    (r.indexes * $2::text::int8multirange)::text AS indexes
FROM retired r JOIN lanes l USING (lane_id) WHERE r.lane_id = $1
"""


class FactQuery:
    """A query with ``{days}`` after the column ``day``, once for recent and once for older days."""

    def __init__(self, template: str) -> None:
        """The two queries of *template*."""
        self._recent = template.replace("{days}", _RECENT)
        self._older = template.replace("{days}", _OLDER)

    async def by_range(self, line: Any, lane_id: int, numbers: RangeSet, column: str) -> list[Any]:
        """The rows whose *column* is among *numbers*, by it; parameters are lane, lows, highs."""
        found = await line.fetch(self._recent, lane_id, *bounds(numbers))
        if len(found) == len(numbers):
            return list(found)
        missing = numbers - RangeSet.of([row[column] for row in found])
        older = await line.fetch(self._older, lane_id, *bounds(missing))
        return sorted([*older, *found], key=lambda row: row[column])

    async def by_id(self, line: Any, numbers: Iterable[int], column: str) -> list[Any]:
        """The rows whose *column* is one of *numbers*; the parameter is their list."""
        wanted = set(numbers)
        found = await line.fetch(self._recent, list(wanted))
        missing = wanted - {row[column] for row in found}
        older = await line.fetch(self._older, list(missing)) if missing else []
        return [*older, *found]


async def check_kept(line: Any, lane_id: int, missing: RangeSet, kind: str) -> None:
    """None of the *missing* sequences or indexes was ever stored. Raises ``SequenceRetired``.

    *kind* is the column of ``retired``.
    """
    if not missing:
        return
    row = await line.fetchrow(_RETIRED, lane_id, to_text(missing))
    gone = from_text(row[kind]) if row is not None else RangeSet()
    if gone:
        raise SequenceRetired(lane=f"lanes/{row['name']}", sequence=gone.first)
