"""Narrow rows that need more than one statement: read under lock, changed by rule, written back.

The packet path tries one statement first, which says itself whether it found its row as expected.
What it did not take is decided here: what was lost, what changed, or that holes must be closed or
filled (narrow.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import LaneNotFound, LeaseLost
from hub.core.ranges import EMPTY, RangeSet
from hub.registry.multirange import from_text, to_text
from hub.registry.narrow import NarrowSet

if TYPE_CHECKING:
    from hub.core.lane import Side
    from hub.ports.leases import Fence

_READ: Final = """
SELECT s.lane_id, l.name, s.peer, s.epoch, s.gate, s.stopped, s.done::text, s.progress::text,
    o.gate AS other_gate, o.done::text AS other_done, o.outcome_count AS other_count,
    (SELECT coalesce(range_agg(int8range(low, high)), '{}')::text FROM closed_holes h
        WHERE h.lane_id = o.lane_id AND h.side = o.side AND h.kind = 'DONE') AS other_closed
FROM lane_sides s
JOIN lanes l USING (lane_id)
JOIN lane_sides o ON o.lane_id = s.lane_id AND o.side <> s.side
WHERE s.lane_id = $1 AND s.side = $2
FOR NO KEY UPDATE OF s
"""
_HOLD_OTHER: Final = "SELECT FROM lane_sides WHERE lane_id = $1 AND side <> $2 FOR SHARE"
"""The destination's row is locked first, as everywhere: rows are locked by lane and side."""
_CLOSED: Final = """
SELECT low, high FROM closed_holes
WHERE lane_id = $1 AND side = $2 AND kind = $3 AND high > $4 AND low < $5
ORDER BY low
"""
_FORGET: Final = """
DELETE FROM closed_holes
WHERE lane_id = $1 AND side = $2 AND kind = $3 AND low = ANY($4::bigint[])
"""
_REMEMBER: Final = """
INSERT INTO closed_holes (lane_id, side, kind, low, high)
SELECT $1, $2, $3, low, high FROM unnest($4::bigint[], $5::bigint[]) AS n (low, high)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSide:
    """One of a lane's rows, locked, and what matters of the other."""

    lane_id: int
    lane: str
    """Its resource name."""
    side: Side
    gate: int
    stopped: bool
    done: RangeSet
    progress: RangeSet
    other_gate: int
    other_done: RangeSet
    """The truth of the other row's set."""
    other_count: int


async def lock_side(line: Any, fence: Fence, lane_id: int, side: Side) -> LockedSide:
    """The row, until the transaction ends. Raises ``LaneNotFound`` or ``LeaseLost``."""
    row = await line.fetchrow(_READ, lane_id, side)
    if row is None:
        raise LaneNotFound(name=f"lane {lane_id}")
    if (row["peer"], row["epoch"]) != (fence.peer, fence.epoch):
        raise LeaseLost(peer=fence.peer, epoch=fence.epoch)
    return LockedSide(
        lane_id=lane_id,
        lane=f"lanes/{row['name']}",
        side=side,
        gate=row["gate"],
        stopped=row["stopped"],
        done=from_text(row["done"]),
        progress=from_text(row["progress"]),
        other_gate=row["other_gate"],
        other_done=from_text(row["other_done"]) - from_text(row["other_closed"]),
        other_count=row["other_count"],
    )


async def lock_both(line: Any, fence: Fence, lane_id: int, side: Side) -> LockedSide:
    """As ``lock_side``; what it says of the other row holds until the transaction ends, too."""
    await lock_side(line, fence, lane_id, side)
    await line.execute(_HOLD_OTHER, lane_id, side)
    # Read by a statement that begins after both locks.
    return await lock_side(line, fence, lane_id, side)


async def read_closed(line: Any, row: LockedSide, kind: str, near: RangeSet) -> RangeSet:
    """The closed holes of the row's set that share an integer with the span of *near*."""
    if not near:  # the first frame of a lane
        return EMPTY
    found = await line.fetch(_CLOSED, row.lane_id, row.side, kind, near.first, near.end)
    return RangeSet(tuple([(hole["low"], hole["high"]) for hole in found]))


async def write_closed(
    line: Any, row: LockedSide, kind: str, before: RangeSet, after: RangeSet
) -> None:
    """Those closed holes that were *before* are as in *after* now."""
    gone = set(before.ranges) - set(after.ranges)
    new = sorted(set(after.ranges) - set(before.ranges))
    key = (row.lane_id, row.side, kind)
    if gone:
        await line.execute(_FORGET, *key, [low for low, _ in gone])
    if new:
        await line.execute(_REMEMBER, *key, [low for low, _ in new], [high for _, high in new])


async def write_set(
    line: Any, row: LockedSide, kind: str, new: RangeSet, needless: RangeSet
) -> None:
    """*new* is in the row's set of that *kind*, DONE or PROGRESS."""
    stored = row.done if kind == "DONE" else row.progress
    before = await read_closed(line, row, kind, new)
    after = NarrowSet(stored, before).add(new, needless)
    await write_closed(line, row, kind, before, after.closed)
    await line.execute(
        f"UPDATE lane_sides SET {kind.lower()} = $3::text::int8multirange"  # noqa: S608 - our word
        " WHERE lane_id = $1 AND side = $2",
        row.lane_id,
        row.side,
        to_text(after.stored),
    )
