"""Exceptions in Postgres."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import text

from hub.core.errors import Reason
from hub.core.lane import LaneKey
from hub.core.ranges import RangeSet
from hub.core.record import Attempt, AttemptKind, ExceptionKind, PacketException
from hub.core.time import Timestamp
from hub.ports.packets import ListedException
from hub.ports.registry import Change, Topic
from hub.registry.lanes import VIEW
from hub.registry.moments import date_time, timestamp
from hub.registry.multirange import bounds, from_text, to_text
from hub.registry.statements import check_fenced
from hub.registry.trail import audit, claim, set_result

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.ports.caller import Caller
    from hub.ports.leases import Fence
    from hub.ports.packets import ExceptionFilter
    from hub.registry.changes import PostgresChanges
    from hub.registry.engine import Database

_FENCED: Final = """
WITH fenced AS MATERIALIZED (
    SELECT lane_id FROM lane_sides WHERE lane_id = $3 AND peer = $1 AND epoch = $2 FOR SHARE
)"""
_PUT: Final = """{fenced}, found AS MATERIALIZED (
    SELECT n.* FROM unnest(
        $4::bigint[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::bigint[]
    ) AS n (sequence, kind, reason, detail, attempts, next_attempt_at)
    WHERE EXISTS (SELECT FROM fenced)
), noted AS (
    INSERT INTO attempts (lane_id, peer, kind, reason, detail, sequences)
    SELECT $3, $1, kind, reason, detail, range_agg(int8range(sequence, sequence + 1)) FROM found
    WHERE kind IN ('RETRY', 'PARKED') GROUP BY kind, reason, detail
), stored AS (
    INSERT INTO exceptions AS e
        (lane_id, sequence, kind, reason, detail, attempts, next_attempt_at)
    SELECT $3, found.* FROM found
    ON CONFLICT (lane_id, sequence) DO UPDATE SET
        kind = CASE WHEN e.kind = 'DENIED' THEN e.kind ELSE excluded.kind END,
        reason = CASE WHEN e.kind = 'DENIED' THEN e.reason ELSE excluded.reason END,
        detail = CASE WHEN e.kind = 'DENIED' THEN e.detail ELSE excluded.detail END,
        since = CASE WHEN e.kind IN (excluded.kind, 'DENIED') THEN e.since
            ELSE excluded.since END,
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
_RANGES: Final = """
SELECT lane_id, kind, range_agg(int8range(low, high))::text AS sequences FROM (
    SELECT lane_id, kind, min(sequence) AS low, max(sequence) + 1 AS high FROM (
        SELECT lane_id, kind, sequence,
            sequence - row_number() OVER (PARTITION BY lane_id, kind ORDER BY sequence) AS run
        FROM exceptions WHERE lane_id = ANY($1::bigint[])
    ) numbered GROUP BY lane_id, kind, run
) runs GROUP BY lane_id, kind ORDER BY lane_id, kind
"""
"""Runs first, as in multirange.py: a range for each of very many rows takes gigabytes."""
_AMONG: Final = """
SELECT e.* FROM unnest($2::bigint[], $3::bigint[]) AS r (low, high)
CROSS JOIN LATERAL (
    SELECT sequence, kind, reason, detail, attempts, next_attempt_at, since FROM exceptions
    WHERE lane_id = $1 AND sequence >= r.low AND sequence < r.high OFFSET 0
) e ORDER BY sequence
"""
_COUNTS: Final = """
SELECT lane_id, kind, count(*) AS count FROM exceptions
WHERE lane_id = ANY($1::bigint[]) GROUP BY lane_id, kind ORDER BY lane_id, kind
"""
_ATTEMPTS: Final = """
SELECT at, peer, kind, reason, detail FROM attempts
WHERE lane_id = $1 AND sequences @> $2::bigint ORDER BY attempt_id DESC LIMIT $3
"""
_PAGE: Final = """
SELECT l.name, e.* FROM exceptions e JOIN lanes l USING (lane_id)
WHERE e.kind = $1 AND ($2::text IS NULL OR l.name = $2)
    AND ($3::timestamptz IS NULL OR e.since <= $3) AND (l.name, e.sequence) > ($4::text, $5::bigint)
ORDER BY l.name, e.sequence LIMIT $6
"""
_HELD: Final = """
SELECT v.name, p.sequence, 'HELD' AS kind, 0 AS attempts, NULL AS next_attempt_at,
    p.accepted_at AS since,
    CASE WHEN v.state = 'PAUSED' THEN 'LANE_PAUSED' ELSE 'CLIENT_FROZEN' END AS reason,
    CASE WHEN v.state = 'PAUSED' THEN v.pause_cause ELSE
        coalesce(nullif(v.source_stopped, ''), v.destination_stopped) END AS detail
FROM ({view}) v CROSS JOIN LATERAL (
    SELECT v.source_done::int8multirange - v.destination_done::int8multirange
        - v.destination_progress::int8multirange AS sequences
) o CROSS JOIN LATERAL (
    SELECT sequence, accepted_at FROM packets
    WHERE lane_id = v.lane_id AND o.sequences @> sequence AND sequence >= lower(o.sequences)
        AND sequence > CASE WHEN v.name = $3 THEN $4::bigint ELSE 0 END
        AND ($2::timestamptz IS NULL OR accepted_at <= $2)
        AND NOT EXISTS (
            SELECT FROM exceptions e
            WHERE e.lane_id = v.lane_id AND e.sequence = packets.sequence
        )
    ORDER BY sequence LIMIT $5
) p
WHERE (v.state = 'PAUSED' OR v.source_stopped <> '' OR v.destination_stopped <> '')
    AND ($1::text IS NULL OR v.name = $1) AND v.name >= $3::text
ORDER BY v.name, p.sequence LIMIT $5
""".replace("{view}", VIEW)
_RETRY: Final = text(
    """
    UPDATE exceptions e SET
        kind = 'RETRY',
        since = CASE WHEN e.kind = 'RETRY' THEN e.since ELSE clock_timestamp() END,
        next_attempt_at = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000
    FROM unnest(CAST(:names AS text[]), CAST(:sequences AS bigint[])) AS n (name, sequence)
    JOIN lanes l ON l.name = n.name
    WHERE e.lane_id = l.lane_id AND e.sequence = n.sequence AND e.kind IN ('PARKED', 'RETRY')
    RETURNING l.lane_id, l.name, e.sequence
    """
)
_ASKED: Final = text(
    """
    INSERT INTO attempts (lane_id, peer, kind, reason, detail, sequences)
    VALUES (:lane_id, :peer, 'ASKED', '', :detail, CAST(CAST(:sequences AS text) AS int8multirange))
    """
)
_MAX_DETAIL: Final = 1000
"""Characters of an audit event about many packets."""


class PostgresExceptions:
    """``hub.ports.packets.Exceptions`` in Postgres."""

    def __init__(self, database: Database, changes: PostgresChanges) -> None:
        """The exceptions of *database*; retries are announced to *changes*."""
        self._database = database
        self._changes = changes

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

    async def ranges(
        self, lane_ids: Collection[int]
    ) -> Mapping[int, Mapping[ExceptionKind, RangeSet]]:
        """As the port says."""
        found: dict[int, dict[ExceptionKind, RangeSet]] = defaultdict(dict)
        async with self._database.line() as line:
            for row in await line.fetch(_RANGES, list(lane_ids)):
                found[row["lane_id"]][ExceptionKind(row["kind"])] = from_text(row["sequences"])
        return dict(found)

    async def among(self, lane_id: int, sequences: RangeSet) -> Sequence[PacketException]:
        """As the port says."""
        if not sequences:
            return []
        async with self._database.line() as line:
            rows = await line.fetch(_AMONG, lane_id, *bounds(sequences))
        return [_exception(row) for row in rows]

    async def counts(self, lane_ids: Collection[int]) -> Mapping[int, Mapping[ExceptionKind, int]]:
        """As the port says."""
        if not lane_ids:
            return {}
        found: dict[int, dict[ExceptionKind, int]] = defaultdict(dict)
        async with self._database.line() as line:
            for row in await line.fetch(_COUNTS, list(lane_ids)):
                found[row["lane_id"]][ExceptionKind(row["kind"])] = row["count"]
        return dict(found)

    async def attempts(self, lane_id: int, sequence: int, limit: int) -> Sequence[Attempt]:
        """As the port says."""
        async with self._database.line() as line:
            rows = await line.fetch(_ATTEMPTS, lane_id, sequence, limit)
        return [
            Attempt(
                at=timestamp(row["at"]),
                peer=row["peer"],
                kind=AttemptKind(row["kind"]),
                reason=Reason(row["reason"]) if row["reason"] else None,
                detail=row["detail"],
            )
            for row in reversed(rows)
        ]

    async def page(
        self, wanted: ExceptionFilter, after: tuple[str, int], limit: int
    ) -> Sequence[ListedException]:
        """As the port says."""
        lane = str(wanted.lane) if wanted.lane is not None else None
        before = date_time(wanted.before) if wanted.before is not None else None
        async with self._database.line() as line:
            if wanted.kind is ExceptionKind.HELD:
                rows = await line.fetch(_HELD, lane, before, *after, limit)
            else:
                rows = await line.fetch(_PAGE, wanted.kind, lane, before, *after, limit)
        return [ListedException(LaneKey.parse(row["name"]), _exception(row)) for row in rows]

    async def retry(
        self, packets: Sequence[tuple[LaneKey, int]], by: Caller
    ) -> Mapping[LaneKey, RangeSet]:
        """As the port says."""
        async with self._database.transaction() as connection:
            before = await claim(connection, by)
            if before is not None:
                return {LaneKey.parse(k): from_text(v) for k, v in json.loads(before).items()}
            values = {
                "names": [str(key) for key, _ in packets],
                "sequences": [sequence for _, sequence in packets],
            }
            rows = await connection.execute(_RETRY, values)
            found: dict[tuple[int, str], list[int]] = defaultdict(list)
            for row in rows:
                found[row.lane_id, row.name].append(row.sequence)
            due = {place: RangeSet.of(found[place]) for place in sorted(found)}
            await _note(connection, due, by)
        for lane_id, _ in due:
            self._changes.announce(Change(Topic.RETRIES, str(lane_id)))
        return {LaneKey.parse(name): sequences for (_, name), sequences in due.items()}


async def _note(
    connection: AsyncConnection, due: Mapping[tuple[int, str], RangeSet], by: Caller
) -> None:
    """Who asked is with the attempts and in the audit trail, and what came of it by request id."""
    for (lane_id, name), sequences in due.items():
        shown = to_text(sequences)
        asked = {"lane_id": lane_id, "peer": by.identity, "detail": "", "sequences": shown}
        await connection.execute(_ASKED, asked)
        subject, detail = f"lanes/{name}", shown[:_MAX_DETAIL]
        await audit(connection, by, "packet.retry", subject, detail=detail)
    result = json.dumps({name: to_text(sequences) for (_, name), sequences in due.items()})
    await set_result(connection, by, result)


def _exception(row: Any) -> PacketException:
    return PacketException(
        sequence=row["sequence"],
        kind=ExceptionKind(row["kind"]),
        reason=Reason(row["reason"]),
        detail=row["detail"],
        attempts=row["attempts"],
        next_attempt_at=_at(row["next_attempt_at"]),
        since=timestamp(row["since"]),
    )


def _at(moment: int | None) -> Timestamp | None:
    return Timestamp(moment) if moment is not None else None
