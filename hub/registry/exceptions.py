"""Exceptions in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.errors import Reason
from hub.core.record import ExceptionKind, PacketException
from hub.core.time import Timestamp
from hub.registry.multirange import bounds
from hub.registry.statements import check_fenced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ranges import RangeSet
    from hub.ports.leases import Fence
    from hub.registry.engine import Database

_FENCED: Final = """
WITH fenced AS MATERIALIZED (
    SELECT lane_id FROM lane_sides WHERE lane_id = $3 AND peer = $1 AND epoch = $2 FOR SHARE
)"""
_PUT: Final = """{fenced}, stored AS (
    INSERT INTO exceptions AS e
        (lane_id, sequence, kind, reason, detail, attempts, next_attempt_at)
    SELECT $3, n.* FROM unnest(
        $4::bigint[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::bigint[]
    ) AS n (sequence, kind, reason, detail, attempts, next_attempt_at)
    WHERE EXISTS (SELECT FROM fenced)
    ON CONFLICT (lane_id, sequence) DO UPDATE SET
        kind = CASE WHEN e.kind = 'DENIED' THEN e.kind ELSE excluded.kind END,
        reason = CASE WHEN e.kind = 'DENIED' THEN e.reason ELSE excluded.reason END,
        detail = CASE WHEN e.kind = 'DENIED' THEN e.detail ELSE excluded.detail END,
        attempts = excluded.attempts, next_attempt_at = excluded.next_attempt_at
)
SELECT count(DISTINCT lane_id) FROM fenced
""".replace("{fenced}", _FENCED)
_REMOVE: Final = """{fenced}, removed AS (
    DELETE FROM exceptions e USING unnest($4::bigint[], $5::bigint[]) AS n (low, high)
    WHERE e.lane_id = $3 AND e.sequence >= n.low AND e.sequence < n.high AND e.kind <> 'DENIED'
        AND EXISTS (SELECT FROM fenced)
)
SELECT count(DISTINCT lane_id) FROM fenced
""".replace("{fenced}", _FENCED)
_OF_LANE: Final = """
SELECT sequence, kind, reason, detail, attempts, next_attempt_at FROM exceptions
WHERE lane_id = $1 ORDER BY sequence
"""


class PostgresExceptions:
    """``hub.ports.packets.Exceptions`` in Postgres."""

    def __init__(self, database: Database) -> None:
        """The exceptions of *database*."""
        self._database = database

    async def put(self, fence: Fence, lane_id: int, found: Sequence[PacketException]) -> None:
        """As the port says."""
        newest = list({new.sequence: new for new in found}.values())
        async with self._database.line() as line:
            fenced = await line.fetchval(
                _PUT,
                fence.peer,
                fence.epoch,
                lane_id,
                [new.sequence for new in newest],
                [new.kind for new in newest],
                [new.reason for new in newest],
                [new.detail for new in newest],
                [new.attempts for new in newest],
                [new.next_attempt_at for new in newest],
            )
            await check_fenced(line, fence, [lane_id], fenced)

    async def remove(self, fence: Fence, lane_id: int, sequences: RangeSet) -> None:
        """As the port says."""
        lows, highs = bounds(sequences)
        async with self._database.line() as line:
            fenced = await line.fetchval(_REMOVE, fence.peer, fence.epoch, lane_id, lows, highs)
            await check_fenced(line, fence, [lane_id], fenced)

    async def of_lane(self, lane_id: int) -> Sequence[PacketException]:
        """As the port says."""
        async with self._database.line() as line:
            rows = await line.fetch(_OF_LANE, lane_id)
        return [
            PacketException(
                sequence=row["sequence"],
                kind=ExceptionKind(row["kind"]),
                reason=Reason(row["reason"]),
                detail=row["detail"],
                attempts=row["attempts"],
                next_attempt_at=_at(row["next_attempt_at"]),
            )
            for row in rows
        ]


def _at(moment: int | None) -> Timestamp | None:
    return Timestamp(moment) if moment is not None else None
