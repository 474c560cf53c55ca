"""The statements of the packet path, each one transaction.

``ACCEPT`` and ``RECORD`` begin alike. ``judged`` locks, in lane order, the rows that stand as the
caller judged them; ``updated`` changes them only if all were found, so a statement does everything
or nothing; the facts hang on ``updated``. Lanes are named twice, so that a plan made while there
were few finds them by key for ever. The locked forms take the rows as they are: their caller
holds the locks and has looked (narrow_rows.py).

Source: design section 5, "The first statement of every batch updates its side's rows".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.core.errors import LaneNotFound, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.ports.leases import Fence

_JUDGED_SOURCE: Final = """
WITH offered AS MATERIALIZED (
    SELECT lane_id, gate, added::int8multirange AS added
    FROM unnest($3::bigint[], $4::bigint[], $5::text[]) AS o (lane_id, gate, added)
), judged AS MATERIALIZED (
    SELECT s.lane_id, o.added FROM lane_sides s JOIN offered o USING (lane_id)
    WHERE s.lane_id = ANY($3::bigint[]) AND s.side = 'SOURCE' AND s.peer = $1 AND s.epoch = $2
        AND s.gate = o.gate
        AND NOT s.stopped AND NOT s.done && o.added AND range_count(s.done + o.added) <= 64
    ORDER BY s.lane_id FOR NO KEY UPDATE OF s
), updated AS (
    UPDATE lane_sides s SET done = s.done + j.added FROM judged j
    WHERE s.lane_id = j.lane_id AND s.side = 'SOURCE'
        AND (SELECT count(*) FROM judged) = cardinality($3::bigint[])
    RETURNING s.lane_id
)"""

_LOCKED_SOURCE: Final = """
WITH offered AS MATERIALIZED (
    SELECT lane_id, gate, added::int8multirange AS added
    FROM unnest($3::bigint[], $4::bigint[], $5::text[]) AS o (lane_id, gate, added)
), updated AS (
    SELECT lane_id FROM offered WHERE $1::text IS NOT NULL
)"""

_PACKETS: Final = """, frames AS MATERIALIZED (
    SELECT nextval('proof_ids') AS proof_id, f.* FROM unnest(
        $6::bigint[], $7::bigint[], $8::bigint[], $9::integer[], $10::bytea[], $11::bytea[],
        $12::bigint[], $13::bigint[], $14::bigint[]
    ) WITH ORDINALITY AS f (
        lane_id, gate, height, leaf_count, skipped, content, first, last, earliest, frame
    )
    WHERE EXISTS (SELECT FROM updated)
), stored_proofs AS (
    INSERT INTO proofs
        (day, proof_id, lane_id, side, epoch, gate, height, leaf_count, skipped, content)
    SELECT current_date, proof_id, lane_id, 'SOURCE', $2, gate, height, leaf_count, skipped, content
    FROM frames
), denied AS MATERIALIZED (
    SELECT d.* FROM unnest($19::bigint[], $20::bigint[], $21::text[])
        AS d (lane_id, sequence, detail)
    WHERE EXISTS (SELECT FROM updated)
), stored_packets AS (
    INSERT INTO packets
        (day, lane_id, sequence, timeout_timestamp, proof_id, accepted_at, content, denial)
    SELECT current_date, f.lane_id, n.sequence, n.timeout_timestamp, f.proof_id, now(), n.content,
        coalesce(d.detail, '')
    FROM unnest($15::bigint[], $16::bigint[], $17::bigint[], $18::bytea[])
        AS n (frame, sequence, timeout_timestamp, content)
    JOIN frames f USING (frame)
    LEFT JOIN denied d ON d.lane_id = f.lane_id AND d.sequence = n.sequence
), stored_timeouts AS (
    INSERT INTO timeout_batches (lane_id, first, last, earliest)
    SELECT lane_id, first, last, earliest FROM frames
), stored_denials AS (
    INSERT INTO exceptions (lane_id, sequence, kind, reason, detail)
    SELECT lane_id, sequence, 'DENIED', 'POLICY_DENIES_ROUTE', detail FROM denied
    ON CONFLICT (lane_id, sequence) DO UPDATE SET
        kind = excluded.kind, reason = excluded.reason, detail = excluded.detail,
        attempts = 0, next_attempt_at = NULL
), filled AS (
    DELETE FROM exceptions e USING offered o JOIN updated u USING (lane_id)
    WHERE e.lane_id = o.lane_id AND e.sequence >= lower(o.added) AND e.sequence < upper(o.added)
        AND o.added @> e.sequence
        AND NOT EXISTS (
            SELECT FROM denied d WHERE d.lane_id = e.lane_id AND d.sequence = e.sequence
        )
)
SELECT proof_id, now() AS at FROM frames ORDER BY frame
"""

ACCEPT: Final = _JUDGED_SOURCE + _PACKETS
"""Stores an ``AcceptOffer``; answers a row for each frame, or none and has done nothing."""
ACCEPT_LOCKED: Final = _LOCKED_SOURCE + _PACKETS
"""Stores the facts of an ``AcceptOffer``, whose rows are locked and updated."""

_JUDGED_DESTINATION: Final = """
WITH offered AS MATERIALIZED (
    SELECT lane_id, gate, added::int8multirange AS added, proven::int8multirange AS proven, items
    FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[])
        AS o (lane_id, gate, added, proven, items)
), judged AS MATERIALIZED (
    SELECT s.lane_id, o.added, o.items FROM lane_sides s JOIN offered o USING (lane_id)
    JOIN lane_sides a ON a.lane_id = s.lane_id AND a.side = 'SOURCE'
    WHERE s.lane_id = ANY($3::bigint[]) AND s.side = 'DESTINATION' AND s.peer = $1 AND s.epoch = $2
        AND s.gate = o.gate
        AND NOT s.stopped AND NOT s.done && o.added AND range_count(s.done + o.added) <= 64
        AND a.done @> o.proven
        AND NOT EXISTS (
            SELECT FROM closed_holes h
            WHERE h.lane_id = s.lane_id AND h.side = 'SOURCE' AND h.kind = 'DONE'
                AND o.proven && int8range(h.low, h.high)
        )
    ORDER BY s.lane_id FOR NO KEY UPDATE OF s
), updated AS (
    UPDATE lane_sides s SET done = s.done + j.added, outcome_count = s.outcome_count + j.items
    FROM judged j
    WHERE s.lane_id = j.lane_id AND s.side = 'DESTINATION'
        AND (SELECT count(*) FROM judged) = cardinality($3::bigint[])
    RETURNING s.lane_id, s.outcome_count - j.items AS first_index
)"""

_LOCKED_DESTINATION: Final = """
WITH offered AS MATERIALIZED (
    SELECT lane_id, gate, added::int8multirange AS added, proven, items
    FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[])
        AS o (lane_id, gate, added, proven, items)
), updated AS (
    UPDATE lane_sides s SET outcome_count = s.outcome_count + o.items FROM offered o
    WHERE s.lane_id = o.lane_id AND s.side = 'DESTINATION' AND $1::text IS NOT NULL
    RETURNING s.lane_id, s.outcome_count - o.items AS first_index
)"""

_OUTCOMES: Final = """, frames AS MATERIALIZED (
    SELECT nextval('proof_ids') AS proof_id, u.first_index, f.* FROM unnest(
        $8::bigint[], $9::bigint[], $10::bigint[], $11::integer[], $12::bytea[], $13::bytea[]
    ) WITH ORDINALITY AS f (lane_id, gate, height, leaf_count, skipped, content, frame)
    JOIN updated u USING (lane_id)
), stored_proofs AS (
    INSERT INTO proofs
        (day, proof_id, lane_id, side, epoch, gate, height, leaf_count, skipped, content)
    SELECT current_date, proof_id, lane_id, 'DESTINATION', $2, gate, height, leaf_count, skipped,
        content
    FROM frames
), stored_outcomes AS (
    INSERT INTO outcomes
        (day, lane_id, outcome_index, sequence, proof_id, recorded_at, kind, content)
    SELECT current_date, f.lane_id,
        f.first_index + row_number() OVER (PARTITION BY f.lane_id ORDER BY n.position) - 1,
        n.sequence, f.proof_id, now(), n.kind, n.content
    FROM unnest($14::bigint[], $15::bigint[], $16::text[], $17::bytea[])
        WITH ORDINALITY AS n (frame, sequence, kind, content, position)
    JOIN frames f USING (frame)
), ended AS (
    DELETE FROM exceptions e USING offered o JOIN updated u USING (lane_id)
    WHERE e.lane_id = o.lane_id AND e.sequence >= lower(o.added) AND e.sequence < upper(o.added)
        AND o.added @> e.sequence
)
SELECT proof_id, first_index, now() AS at FROM frames ORDER BY frame
"""

RECORD: Final = _JUDGED_DESTINATION + _OUTCOMES
"""Stores a ``RecordOffer``; answers a row for each frame, or none and has done nothing."""
RECORD_LOCKED: Final = _LOCKED_DESTINATION + _OUTCOMES
"""Stores the facts of a ``RecordOffer``, whose rows are locked and hold its sequences."""

_PROGRESS: Final = """
UPDATE lane_sides s SET progress = s.progress + n.added
FROM (SELECT $4::text::int8multirange AS added) n, lane_sides o
WHERE s.lane_id = $3 AND s.side = {side} AND s.peer = $1 AND s.epoch = $2
    AND o.lane_id = $3 AND o.side = {other} AND {known}
    AND range_count(s.progress + n.added) <= 64
    AND NOT EXISTS (
        SELECT FROM closed_holes h
        WHERE h.lane_id = s.lane_id AND n.added && int8range(h.low, h.high)
            AND ({unknown} OR (h.side = s.side AND h.kind = 'PROGRESS'))
    )
RETURNING 1
"""

DELIVERED: Final = _PROGRESS.format(
    side="'DESTINATION'",
    other="'SOURCE'",
    known="o.done @> n.added",
    unknown="(h.side = 'SOURCE' AND h.kind = 'DONE')",
)
"""Notes delivered sequences of accepted packets; answers 1, or nothing and has done nothing."""
COMPLETED: Final = _PROGRESS.format(
    side="'SOURCE'",
    other="'DESTINATION'",
    known="o.outcome_count >= upper(n.added)",
    unknown="false",
)
"""Notes executed outcome indexes; answers 1, or nothing and has done nothing."""

MOVE_TIMEOUTS: Final = """
WITH fenced AS MATERIALIZED (
    SELECT lane_id FROM lane_sides
    WHERE lane_id = ANY($3::bigint[]) AND side = 'DESTINATION' AND peer = $1 AND epoch = $2
    ORDER BY lane_id FOR SHARE
), moves AS MATERIALIZED (
    SELECT m.* FROM unnest($4::bigint[], $5::bigint[], $6::bigint[]) AS m (lane_id, first, earliest)
    WHERE (SELECT count(*) FROM fenced) = cardinality($3::bigint[])
), moved AS (
    UPDATE timeout_batches t SET earliest = m.earliest FROM moves m
    WHERE t.lane_id = m.lane_id AND t.first = m.first AND m.earliest IS NOT NULL
), dropped AS (
    DELETE FROM timeout_batches t USING moves m
    WHERE t.lane_id = m.lane_id AND t.first = m.first AND m.earliest IS NULL
)
SELECT count(*) FROM fenced
"""

DROP_ENDED_TIMEOUTS: Final = """
WITH fenced AS MATERIALIZED (
    SELECT lane_id FROM lane_sides
    WHERE lane_id = ANY($3::bigint[]) AND side = 'DESTINATION' AND peer = $1 AND epoch = $2
    ORDER BY lane_id FOR SHARE
), settled AS MATERIALIZED (
    -- Not of the row that was locked: after a wait that is newer than the holes that are seen here.
    SELECT lane_id, done - coalesce((
        SELECT range_agg(int8range(low, high)) FROM closed_holes h
        WHERE h.lane_id = s.lane_id AND h.side = s.side AND h.kind = 'DONE'), '{}') AS ended
    FROM lane_sides s
    WHERE lane_id = ANY($3::bigint[]) AND side = 'DESTINATION'
        AND (SELECT count(*) FROM fenced) = cardinality($3::bigint[])
), past AS MATERIALIZED (
    SELECT t.lane_id, t.first FROM settled f
    JOIN lane_sides a ON a.lane_id = f.lane_id AND a.side = 'SOURCE'
    CROSS JOIN LATERAL (
        SELECT lane_id, first, last FROM timeout_batches WHERE lane_id = f.lane_id OFFSET 0
    ) t
    WHERE a.lane_id = ANY($3::bigint[])
        AND f.ended @> a.done * int8multirange(int8range(t.first, t.last + 1))
), dropped AS (
    DELETE FROM timeout_batches t USING past p
    WHERE t.lane_id = ANY($3::bigint[]) AND t.lane_id = p.lane_id AND t.first = p.first
)
SELECT count(*) FROM fenced
"""
"""Batches of packets that have all ended are gone. What has ended never ends again, so a set that
was read before the lock is one that holds."""

HOLES: Final = """
INSERT INTO exceptions (lane_id, sequence, kind, reason)
SELECT $1, sequence, 'HOLE', 'PACKET_NOT_FOUND' FROM unnest($2::bigint[]) AS n (sequence)
ON CONFLICT (lane_id, sequence) DO NOTHING
"""


async def check_fenced(line: Any, fence: Fence, lanes: Sequence[int], fenced: int) -> None:
    """All of *lanes* were found under *fence*. Raises ``LaneNotFound`` or ``LeaseLost``."""
    if fenced == len(lanes):
        return
    query = "SELECT lane_id FROM lanes WHERE lane_id = ANY($1::bigint[])"
    known = {row["lane_id"] for row in await line.fetch(query, lanes)}
    for lane_id in lanes:
        if lane_id not in known:
            raise LaneNotFound(name=f"lane {lane_id}")
    raise LeaseLost(peer=fence.peer, epoch=fence.epoch)
