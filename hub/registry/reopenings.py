"""Packets that are open again: reported executed at their source, and proven not to be.

Rare, and so looked at under lock. The index leaves the set of what is executed, the proof is kept,
and the packet is an exception until it is executed indeed: all of it in one transaction.

Source: design section 3, "The audit of ``completed`` is sampled".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import ExecutionDisproven, GateChanged
from hub.core.lane import Side
from hub.core.ranges import RangeSet
from hub.core.record import Reopening
from hub.registry.facts import check_kept
from hub.registry.moments import timestamp
from hub.registry.multirange import to_text
from hub.registry.narrow import NarrowSet
from hub.registry.narrow_rows import lock_side, read_closed, write_closed
from hub.registry.partitions import LOCK_SHARED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.record import Disproof
    from hub.ports.leases import Fence
    from hub.registry.narrow_rows import LockedSide

_KEPT: Final = """
SELECT o.outcome_index FROM outcomes o JOIN packets p USING (lane_id, sequence)
WHERE o.lane_id = $1 AND o.outcome_index = ANY($2::bigint[]) AND o.kind <> 'SETTLED_ELSEWHERE'
"""
_TAKE: Final = """
UPDATE lane_sides SET progress = $3::text::int8multirange, reopened_count = reopened_count + $4
WHERE lane_id = $1 AND side = $2
"""
_NOTE: Final = """
WITH gone AS MATERIALIZED (
    SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::text[])
        AS g (outcome_index, sequence, height, proof, detail)
), noted AS (
    INSERT INTO reopenings (lane_id, sequence, outcome_index, height, proof)
    SELECT $1, sequence, outcome_index, height, proof FROM gone ORDER BY outcome_index
), counted AS MATERIALIZED (
    SELECT g.*, 1 + (
        SELECT count(*) FROM reopenings r WHERE r.lane_id = $1 AND r.sequence = g.sequence
    ) AS times
    FROM gone g
), excepted AS (
    INSERT INTO exceptions AS e (lane_id, sequence, kind, reason, detail, attempts)
    SELECT $1, sequence, 'RETRY', $7, detail, times FROM counted
    ON CONFLICT (lane_id, sequence) DO UPDATE SET
        kind = excluded.kind, reason = excluded.reason, detail = excluded.detail,
        attempts = excluded.attempts, next_attempt_at = NULL,
        since = CASE WHEN e.kind = excluded.kind THEN e.since ELSE excluded.since END
)
SELECT outcome_index, times FROM counted
"""
_OF_PACKET: Final = """
SELECT height, reopened_at FROM reopenings
WHERE lane_id = $1 AND sequence = $2 ORDER BY reopening_id
"""


def disproven(lane: str, disproof: Disproof) -> ExecutionDisproven:
    """What *disproof* says of a packet of *lane*, by its resource name."""
    packet = f"{lane}/packets/{disproof.sequence}"
    return ExecutionDisproven(packet=packet, height=disproof.height)


async def reopen(
    line: Any, fence: Fence, lane_id: int, gate: int, found: Sequence[Disproof]
) -> Mapping[int, int]:
    """As ``hub.ports.packets.Outcomes`` says."""
    async with line.transaction():
        # No day is dropped meanwhile, so that what is open again has its records.
        await line.execute(LOCK_SHARED)
        row = await lock_side(line, fence, lane_id, Side.SOURCE)
        if row.gate != gate:
            raise GateChanged(lane=row.lane, gate=gate)
        # Of two that show the same, one is kept.
        shown = {one.outcome_index: one for one in found}
        notes = [shown[index] for index in await _take(line, row, shown)]
        rows = await line.fetch(
            _NOTE,
            lane_id,
            [one.outcome_index for one in notes],
            [one.sequence for one in notes],
            [one.height for one in notes],
            [one.proof for one in notes],
            [str(disproven(row.lane, one)) for one in notes],
            ExecutionDisproven.reason,
        )
    return {row["outcome_index"]: row["times"] for row in rows}


async def of_packet(line: Any, lane_id: int, sequence: int) -> Sequence[Reopening]:
    """As ``hub.ports.packets.Outcomes`` says."""
    return [
        Reopening(height=row["height"], reopened_at=timestamp(row["reopened_at"]))
        for row in await line.fetch(_OF_PACKET, lane_id, sequence)
    ]


async def _take(line: Any, row: LockedSide, shown: Mapping[int, Disproof]) -> RangeSet:
    """The indexes among *shown* that the row counted as executed, and counts no more."""
    wanted = RangeSet.of(shown)
    if not wanted:
        return wanted
    # A hole beside them becomes one with them.
    around = RangeSet.span(max(wanted.first - 1, 0), wanted.end + 1)
    before = await read_closed(line, row, "PROGRESS", around)
    gone = wanted & NarrowSet(row.progress, before).truth
    # Also records that still stand, where their day is noted: they are about to be dropped.
    sequences = RangeSet.of([shown[index].sequence for index in gone])
    await check_kept(line, row.lane_id, sequences, "sequences")
    rows = await line.fetch(_KEPT, row.lane_id, list(gone))
    gone &= RangeSet.of([found["outcome_index"] for found in rows])
    after = NarrowSet(row.progress, before).remove(gone)
    await write_closed(line, row, "PROGRESS", before, after.closed)
    await line.execute(_TAKE, row.lane_id, row.side, to_text(after.stored), len(gone))
    return gone
