"""What always holds, as queries: each yields one line of text for each record that breaks it.

Names in braces stand for the records that are asked of (scopes.py): all, or a window of them. A
window has whole sequences of whole lanes, so that what is joined by lane and sequence is in it or
not together.

Many of them are also constraints, triggers or keys, so that no program can store a violation; the
query shows that they stand. That value is conserved from chain to chain is not here: what a payload
is worth only the chains know.

Source: reliability.md section 8 (its numbers stand behind the names).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.invariants import LOOKS_AGAIN_WITHIN, MAX_SAMPLES
from hub.registry.gates import STOPPED
from hub.registry.multirange import gathered
from hub.registry.scopes import WHOLE, WINDOW

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRUTH: Final = """
WITH scope AS (
    {scope}
), truth AS (
    SELECT s.lane_id, span, s.side, s.peer, s.outcome_count,
        s.done - coalesce((
            SELECT range_agg(int8range(low, high)) FROM closed_holes h
            WHERE h.lane_id = s.lane_id AND h.side = s.side AND h.kind = 'DONE'), '{}') AS done,
        s.progress - coalesce((
            SELECT range_agg(int8range(low, high)) FROM closed_holes h
            WHERE h.lane_id = s.lane_id AND h.side = s.side AND h.kind = 'PROGRESS'), '{}')
            AS progress
    FROM lane_sides s JOIN scope USING (lane_id)
), accepted AS (
    SELECT * FROM truth WHERE side = 'SOURCE'
), settled AS (
    SELECT * FROM truth WHERE side = 'DESTINATION'
)
"""
"""The rows' sets without the holes that are closed in them."""

_PLACE: Final = "format('lane %s sequence %s', lane_id, sequence)"

_TEMPLATES: Final[dict[str, str]] = {
    # I1
    "one_packet_per_sequence": """
        SELECT {place} FROM {packets} f GROUP BY lane_id, sequence HAVING count(*) > 1
    """,
    "one_effect_per_sequence": """
        SELECT {place} FROM {outcomes} f GROUP BY lane_id, sequence HAVING count(*) > 1
    """,
    # I2
    "no_outcome_without_packet": """
        SELECT {place} FROM {outcomes} o
        WHERE kind <> 'SETTLED_ELSEWHERE'
            AND NOT EXISTS (
                SELECT FROM {packets} p WHERE p.lane_id = o.lane_id AND p.sequence = o.sequence
            )
            AND NOT EXISTS (
                SELECT FROM retired r WHERE r.lane_id = o.lane_id AND r.sequences @> o.sequence
            )
    """,
    "proof_of_every_fact": """
        SELECT {place} FROM {packets} f
        WHERE NOT EXISTS (SELECT FROM proofs p WHERE p.proof_id = f.proof_id AND p.day = f.day)
        UNION ALL
        SELECT {place} FROM {outcomes} f
        WHERE NOT EXISTS (SELECT FROM proofs p WHERE p.proof_id = f.proof_id AND p.day = f.day)
    """,
    "header_of_every_proof": """
        SELECT format('proof %s at peers/%s height %s', f.proof_id, s.peer, f.height)
        FROM {proofs} f JOIN lane_sides s USING (lane_id, side)
        WHERE NOT EXISTS (SELECT FROM headers h WHERE h.peer = s.peer AND h.height = f.height)
    """,
    # I3
    "executed_xor_refunded": """
        SELECT {place} FROM {outcomes} f GROUP BY lane_id, sequence
        HAVING bool_or(kind = 'ACKNOWLEDGEMENT') AND bool_or(kind = 'ABSENCE')
    """,
    # I4
    "refund_only_with_absence": """
        SELECT format('lane %s sequence %s', o.lane_id, o.sequence) FROM {outcomes} o
        JOIN {packets} p ON p.lane_id = o.lane_id AND p.sequence = o.sequence
        JOIN lanes l ON l.lane_id = o.lane_id
        LEFT JOIN proofs f ON f.proof_id = o.proof_id AND f.day = o.day
        LEFT JOIN headers h ON h.peer = l.destination_peer AND h.height = f.height
        WHERE o.kind = 'ABSENCE'
            AND (h.time IS NULL OR h.time / 1000000000 < p.timeout_timestamp)
    """,
    # I5
    "sequences_dense": """
        {truth}
        SELECT format('lane %s counts %s, has %s', lane_id, a.done, k.kept)
        FROM accepted a
        LEFT JOIN ({packet_sequences}) k USING (lane_id)
        LEFT JOIN retired r USING (lane_id)
        WHERE a.done * span <> (coalesce(k.kept, '{}') + coalesce(r.sequences, '{}')) * span
    """,
    "outcomes_dense": """
        {truth}
        SELECT format('lane %s counts %s, has %s', lane_id, s.outcome_count, i.kept)
        FROM settled s
        LEFT JOIN ({outcome_sequences}) k USING (lane_id)
        LEFT JOIN ({outcome_indexes}) i USING (lane_id)
        LEFT JOIN retired r USING (lane_id)
        WHERE s.done * span <> (coalesce(k.kept, '{}') + coalesce(r.settled, '{}')) * span
            OR s.outcome_count <> (
                SELECT coalesce(sum(upper(d) - lower(d)), 0) FROM unnest(s.done) d
            )
            OR upper(i.kept) > s.outcome_count
            -- A window's outcomes are dense by sequence, and by index only all of them are.
            OR (span @> '(,)'::int8range
                AND int8multirange(int8range(0, s.outcome_count))
                    <> coalesce(i.kept, '{}') + coalesce(r.indexes, '{}'))
    """,
    # I6
    "ordered_outcomes": """
        {truth}
        SELECT {place} FROM {outcomes} o JOIN settled s USING (lane_id) JOIN lanes l USING (lane_id)
        WHERE l.ordering = 'ENFORCED' AND o.kind = 'ACKNOWLEDGEMENT'
            AND o.sequence > l.first_sequence AND NOT s.done @> o.sequence - 1
    """,
    # I7
    "equivocation_frozen": """
        SELECT DISTINCT 'peers/' || peer FROM evidence JOIN hub_clients USING (peer)
        WHERE frozen_at IS NULL
            AND (recovered_at IS NULL OR recorded_at > recovered_at)
    """,
    # I8
    "one_header_per_height": """
        SELECT format('peers/%s height %s', peer, height) FROM {headers} f
        GROUP BY peer, height HAVING count(*) > 1
    """,
    "nothing_after_freeze": """
        SELECT format('peers/%s height %s', peer, height)
        FROM {headers} f JOIN hub_clients USING (peer) WHERE recorded_at > frozen_at
        UNION ALL
        SELECT format('lane %s sequence %s', lane_id, sequence)
        FROM {packets} f JOIN lanes l USING (lane_id) JOIN hub_clients c ON c.peer = l.source_peer
        WHERE accepted_at > c.frozen_at
        UNION ALL
        SELECT format('lane %s sequence %s', lane_id, sequence)
        FROM {outcomes} f JOIN lanes l USING (lane_id)
        JOIN hub_clients c ON c.peer = l.destination_peer
        WHERE recorded_at > c.frozen_at
    """,
    # I10
    "every_change_audited": """
        SELECT format('%s revision %s', c.subject, c.revision) FROM (
            SELECT 'peers/' || peer AS subject, revision FROM peers
            UNION ALL
            SELECT format('peers/%s/client', peer), 1 FROM hub_clients WHERE frozen_at IS NOT NULL
            UNION ALL
            SELECT 'lanes/' || name, revision FROM lanes
            UNION ALL
            SELECT format('lanes/%s/routes/%s~%s', name, source_port, destination_port), r.revision
            FROM routes r JOIN lanes USING (lane_id)
        ) c
        WHERE NOT EXISTS (
            SELECT FROM audit_events e WHERE e.subject = c.subject AND e.revision = c.revision
        )
    """,
    # I12
    "fencing_monotone": """
        SELECT format('proof %s of epoch %s', proof_id, epoch) FROM (
            SELECT proof_id, epoch,
                max(epoch) OVER (PARTITION BY lane_id, side ORDER BY proof_id) AS newest
            FROM {proofs} f
        ) p
        WHERE epoch < newest
    """,
    "lease_unique": """
        SELECT format('lane %s %s epoch %s', lane_id, side, s.epoch)
        FROM lane_sides s LEFT JOIN leases e USING (peer)
        WHERE s.epoch <> coalesce(e.epoch, 0)
    """,
    # I13
    "legal_moves": """
        {truth}
        SELECT format('lane %s delivered %s', lane_id, s.progress - s.done - a.done)
        FROM settled s JOIN accepted a USING (lane_id)
        WHERE NOT a.done + s.done @> s.progress
        UNION ALL
        SELECT {place} FROM exceptions e JOIN settled s USING (lane_id)
        WHERE e.kind = 'DENIED' AND s.progress @> e.sequence
    """,
    "completed_has_outcome": """
        {truth}
        SELECT format('lane %s has %s outcomes', lane_id, s.outcome_count)
        FROM accepted a JOIN settled s USING (lane_id)
        WHERE upper(a.progress) > s.outcome_count
    """,
    "reopenings_counted": """
        SELECT format('lane %s counts %s, has %s', s.lane_id, s.reopened_count, count(r.lane_id))
        FROM lane_sides s LEFT JOIN reopenings r ON r.lane_id = s.lane_id AND s.side = 'SOURCE'
        GROUP BY s.lane_id, s.side, s.reopened_count HAVING s.reopened_count <> count(r.lane_id)
    """,
    "lane_states": """
        {truth}
        SELECT format('lane %s is %s', lane_id, l.state)
        FROM lanes l JOIN accepted a USING (lane_id)
        WHERE (l.pause_cause <> '' AND l.state NOT IN ('PAUSED', 'DRAINING'))
            OR lower(a.done) < l.first_sequence
    """,
    "stopped_sides": """
        SELECT format('lane %s %s', s.lane_id, s.side)
        FROM lane_sides s
        JOIN lanes l USING (lane_id)
        JOIN hub_clients c ON c.peer = s.peer
        JOIN peers p ON p.peer = s.peer
        JOIN peers o ON o.peer = l.destination_peer
        WHERE s.stopped <> ({stopped})
    """,
    # I14
    "no_overdue_without_exception": """
        {truth}
        SELECT {place} FROM {packets} p JOIN settled s USING (lane_id)
        LEFT JOIN LATERAL (
            SELECT time / 1000000000 AS at FROM headers h
            WHERE h.peer = s.peer ORDER BY height DESC LIMIT 1
        ) newest ON true
        WHERE NOT s.done @> p.sequence
            AND NOT EXISTS (
                SELECT FROM exceptions e WHERE e.lane_id = p.lane_id AND e.sequence = p.sequence
            )
            AND NOT EXISTS (
                SELECT FROM timeout_batches t
                WHERE t.lane_id = p.lane_id AND p.sequence BETWEEN t.first AND t.last
                    AND t.earliest <= greatest(p.timeout_timestamp, newest.at + {again})
            )
    """,
    # I17
    "audit_not_ahead": """
        SELECT format('%s revision %s, its event %s', c.subject, c.revision, e.revision) FROM (
            SELECT 'peers/' || peer AS subject, revision FROM peers
            UNION ALL
            SELECT 'lanes/' || name, revision FROM lanes
            UNION ALL
            SELECT format('lanes/%s/routes/%s~%s', name, source_port, destination_port), r.revision
            FROM routes r JOIN lanes USING (lane_id)
        ) c
        CROSS JOIN LATERAL (
            SELECT max(revision) AS revision FROM audit_events WHERE subject = c.subject
        ) e
        WHERE e.revision > c.revision
    """,
    # I18
    "no_zero_hashes": """
        SELECT format('peers/%s height %s', peer, height) FROM {headers} f
        WHERE btrim(header_hash, '\\x00'::bytea) = '' OR btrim(next_validators_hash, '\\x00') = ''
            OR (root <> '' AND btrim(root, '\\x00'::bytea) = '')
        UNION ALL
        SELECT format('peers/%s anchor', peer) FROM hub_clients
        WHERE btrim(header_hash, '\\x00'::bytea) = '' OR btrim(next_validators_hash, '\\x00') = ''
    """,
    # I19
    "outcome_not_before_packet": """
        SELECT format('lane %s sequence %s', o.lane_id, o.sequence) FROM {outcomes} o
        JOIN {packets} p ON p.lane_id = o.lane_id AND p.sequence = o.sequence
        WHERE o.kind <> 'SETTLED_ELSEWHERE' AND o.recorded_at < p.accepted_at - interval '10 s'
    """,
    # I5
    "ranges_bounded": """
        SELECT format('lane %s %s', lane_id, side) FROM lane_sides
        WHERE range_count(done) > 64 OR range_count(progress) > 64
    """,
}


def _queries(scope: Mapping[str, str]) -> dict[str, str]:
    places = {
        "truth": _TRUTH,
        "place": _PLACE,
        "stopped": STOPPED,
        "again": str(LOOKS_AGAIN_WITHIN),
        "packet_sequences": gathered("sequence", "{packets}"),
        "outcome_sequences": gathered("sequence", "{outcomes}"),
        "outcome_indexes": gathered("outcome_index", "{outcomes}"),
    }
    queries = {}
    for name, template in _TEMPLATES.items():
        query = template
        for place, text in (*places.items(), *scope.items()):
            query = query.replace(f"{{{place}}}", text)
        queries[name] = query
    return queries


INVARIANTS: Final = _queries(WHOLE)
"""Every invariant, by name, asked of all records."""

RECENT: Final = _queries(WINDOW)
"""The same, asked of a window: three arrays, where a query has parameters."""


def counting(query: str) -> str:
    """How many lines *query* yields, some of them, and how long it took (us)."""
    return f"""
        WITH broken (line) AS MATERIALIZED ({query})
        SELECT (SELECT count(*) FROM broken) AS count,
            ARRAY(SELECT line FROM broken LIMIT {MAX_SAMPLES}) AS samples,
            (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1e6)::bigint AS took
    """  # noqa: S608 - ours
