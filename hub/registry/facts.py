"""Reading facts by key from partitions by day: the newest days first, the others only if needed.

What is asked for is nearly always recent, and each partition that a query looks into costs its own
descent of an index. The days stand in the text of a query, so that its plan names their partitions
alone: half a year of others would be locked by every execution, however early they are pruned. The
date may be an hour old; a fact of any other day is found by the second query.

Plans are made once for a connection, often while a partition is still empty, so no query leaves it
to the planner's estimates whether a range is looked up by index: ``OFFSET 0`` keeps the lookup of
one range a lookup.
"""

from __future__ import annotations

from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from hub.core.budget import first_of
from hub.core.errors import SequenceRetired
from hub.core.ranges import EMPTY, RangeSet
from hub.registry.multirange import bounds, from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

_RETIRED: Final = """
SELECT l.name, (r.sequences * $2::text::int8multirange)::text AS sequences,
    (r.settled * $2::text::int8multirange)::text AS settled,
    (r.indexes * $2::text::int8multirange)::text AS indexes
FROM retired r JOIN lanes l USING (lane_id) WHERE r.lane_id = $1
"""


class FactQuery:
    """A query with ``{days}`` after the column ``day``, once for recent and once for other days."""

    def __init__(self, template: str) -> None:
        """The two queries of *template*."""
        self._template = template

    def recent(self, today: date) -> str:
        """The query of yesterday, *today* and tomorrow."""
        return self._template.replace("{days}", _days(today))

    def others(self, today: date) -> str:
        """The query of all other days."""
        return self._template.replace("{days}", f"NOT {_days(today)}")

    async def by_range(  # noqa: PLR0917 - a place for each
        self,
        line: Any,
        today: date,
        lane_id: int,
        numbers: RangeSet,
        column: str,
        max_bytes: int | None = None,
    ) -> list[Any]:
        """The rows whose *column* is among *numbers*, by it; parameters are lane, lows, highs.

        Given *max_bytes*, they end with that one with which their contents are so many or more.
        """
        recent, others = self.recent(today), self.others(today)
        limits = [] if max_bytes is None else [max_bytes]
        if limits:
            recent, others = until_full(recent, column), until_full(others, column)
        found = await line.fetch(recent, lane_id, *bounds(numbers), *limits)
        missing = absent(found, numbers, column, max_bytes)
        if not missing:
            return list(found)
        older = await line.fetch(others, lane_id, *bounds(missing), *limits)
        both = sorted([*older, *found], key=lambda row: row[column])
        # Where either query has left something out, there is so much before it.
        return first_of(both, max_bytes, itemgetter("content"))

    async def by_id(self, line: Any, today: date, numbers: Iterable[int], column: str) -> list[Any]:
        """The rows whose *column* is one of *numbers*; the parameter is their list."""
        wanted = set(numbers)
        found = await line.fetch(self.recent(today), list(wanted))
        missing = wanted - {row[column] for row in found}
        older = await line.fetch(self.others(today), list(missing)) if missing else []
        return [*older, *found]


class StartsQuery:
    """Where the frames of recent days begin: the first number under each proof."""

    def __init__(self, table: str, column: str) -> None:
        """Of the facts in *table*, numbered by *column*."""
        self._query = FactQuery(
            f"""
            SELECT min(f.number) AS start FROM unnest($2::bigint[], $3::bigint[]) AS r (low, high)
            CROSS JOIN LATERAL (
                SELECT {column} AS number, proof_id FROM {table}
                WHERE lane_id = $1 AND {column} >= r.low AND {column} < r.high AND day {{days}}
                OFFSET 0
            ) f GROUP BY f.proof_id ORDER BY start
            """  # noqa: S608 - our names
        )

    async def starts(self, line: Any, today: date, lane_id: int, numbers: RangeSet) -> list[int]:
        """The first of *numbers* in each frame, rising."""
        rows = await line.fetch(self._query.recent(today), lane_id, *bounds(numbers))
        return [row["start"] for row in rows]


class UnderProofQuery:
    """Which facts have one proof: a frame is stored in one transaction, and so on one day."""

    def __init__(self, table: str, column: str) -> None:
        """Of the facts in *table*, numbered by *column*."""
        self._query = FactQuery(
            f"""
            SELECT f.number FROM unnest($2::bigint[], $3::bigint[]) AS r (low, high)
            CROSS JOIN LATERAL (
                SELECT {column} AS number, proof_id FROM {table}
                WHERE lane_id = $1 AND {column} >= r.low AND {column} < r.high AND day {{days}}
                OFFSET 0
            ) f WHERE f.proof_id = $4
            """  # noqa: S608 - our names
        )

    async def among(
        self, line: Any, today: date, lane_id: int, numbers: RangeSet, proof_id: int
    ) -> RangeSet:
        """Those of *numbers* whose proof it is."""
        arguments = (lane_id, *bounds(numbers), proof_id)
        rows = await line.fetch(self._query.recent(today), *arguments)
        if not rows:
            rows = await line.fetch(self._query.others(today), *arguments)
        return RangeSet.of([row["number"] for row in rows])


def absent(
    rows: Sequence[Any], numbers: RangeSet, column: str, max_bytes: int | None = None
) -> RangeSet:
    """Those of *numbers* that *rows* would hold too; none behind where *max_bytes* ended them."""
    if len(rows) == len(numbers):
        return EMPTY
    found = RangeSet.of([row[column] for row in rows])
    if max_bytes is not None and sum([len(row["content"]) for row in rows]) >= max_bytes:
        numbers &= RangeSet.span(0, found.end)
    return numbers - found


def until_full(query: str, column: str) -> str:
    """*query*, whose rows end by a fourth parameter; what is left out is measured, not read."""
    return f"""
    SELECT * FROM (
        SELECT f.*, sum(octet_length(content)) OVER (ORDER BY {column} ROWS UNBOUNDED PRECEDING)
            - octet_length(content) AS before FROM ({query}) f
    ) g WHERE before < $4 ORDER BY {column}
    """  # noqa: S608 - our queries


def _days(today: date) -> str:
    day = timedelta(days=1)
    return f"BETWEEN '{today - day}' AND '{today + day}'"


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
