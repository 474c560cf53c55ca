"""What a rehearsal asks of the database: its counters, and a past of packets that all ended.

A rehearsal is a run of the bench on a registry of its own; nothing of the hub calls this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.registry.engine import discard, driver_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.registry.engine import Database

PROOF: Final = 256
"""Packets of one proof."""
_PART: Final = 100_000
"""Packets of one transaction of the past."""
_PATIENCE_SECONDS: Final = 120

_USE: Final = """
SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS wal,
    d.xact_commit + d.xact_rollback AS transactions,
    pg_database_size(d.datname) AS size,
    t.table_bytes, t.dead_bytes, t.changing_bytes, t.updates, t.hot_updates
FROM pg_stat_database d, (
    SELECT coalesce(sum(pg_relation_size(relid)), 0) AS table_bytes,
        coalesce(sum(pg_relation_size(relid) * n_dead_tup
            / greatest(n_live_tup + n_dead_tup, 1)), 0) AS dead_bytes,
        coalesce(sum(pg_total_relation_size(relid)) FILTER (WHERE n_tup_upd + n_tup_del > 0), 0)
            AS changing_bytes,
        coalesce(sum(n_tup_upd), 0) AS updates, coalesce(sum(n_tup_hot_upd), 0) AS hot_updates
    FROM pg_stat_user_tables
) t
WHERE d.datname = current_database()
"""

_PAST: Final = (
    # Proofs, of both ways; each of as many bytes as one of 256 neighbouring keys has.
    """
    INSERT INTO proofs (day, proof_id, lane_id, side, epoch, gate, height, leaf_count, skipped,
        content)
    SELECT current_date, nextval('proof_ids'), $1, side, 0, 1, 1, {proof}, '',
        decode(repeat(md5((at::text || side)), 1953), 'hex')
    FROM generate_series($2::bigint, $3::bigint - 1, {proof}) AS at,
        unnest(ARRAY['SOURCE', 'DESTINATION']) AS side
    """,
    """
    INSERT INTO packets (day, lane_id, sequence, timeout_timestamp, proof_id, accepted_at, content)
    SELECT current_date, $1, at, 4102444800, p.proof_id, clock_timestamp(),
        decode(repeat(md5(at::text), 20), 'hex')
    FROM generate_series($2::bigint, $3::bigint - 1) AS at,
        (SELECT min(proof_id) AS proof_id FROM proofs WHERE lane_id = $1 AND side = 'SOURCE') p
    """,
    """
    INSERT INTO outcomes (day, lane_id, outcome_index, sequence, proof_id, recorded_at, kind,
        content)
    SELECT current_date, $1, at - 1, at, p.proof_id, clock_timestamp(), 'ACKNOWLEDGEMENT',
        decode(md5(at::text), 'hex')
    FROM generate_series($2::bigint, $3::bigint - 1) AS at,
        (SELECT min(proof_id) AS proof_id FROM proofs WHERE lane_id = $1 AND side = 'DESTINATION') p
    """,
    """
    UPDATE lane_sides SET done = done + int8multirange(int8range($2, $3)),
        progress = progress + CASE side
            WHEN 'SOURCE' THEN int8multirange(int8range($2 - 1, $3 - 1))
            ELSE int8multirange(int8range($2, $3)) END,
        outcome_count = CASE side WHEN 'DESTINATION' THEN $3 - 1 ELSE 0 END
    WHERE lane_id = $1
    """,
)
"""For a lane, a first sequence and the one after the last; outcome indexes are one less."""


class Rehearsal:
    """The database, as a bench asks it."""

    def __init__(self, database: Database) -> None:
        """*database* is the bench's own."""
        self._database = database

    async def use(self) -> Mapping[str, int]:
        """Its counters now, by name; a backend publishes its own at most once a second.

        ``wal`` is the bytes of its log, all that it must write to answer; ``size`` the database's;
        ``table_bytes`` those of all tables, ``dead_bytes`` those in them of rows that nobody sees
        any more, as the statistics estimate it; ``changing_bytes`` those of tables of which rows
        were changed or deleted, with their indexes; ``hot_updates`` changed no index.
        """
        async with self._database.line() as line:
            row = await line.fetchrow(_USE)
        return {name: int(value) for name, value in row.items()}

    async def server(self) -> tuple[str, int]:
        """The server's version, and the process that answers this connection."""
        async with self._database.line() as line:
            row = await line.fetchrow("SELECT current_setting('server_version'), pg_backend_pid()")
        return str(row[0]), int(row[1])

    async def add_past(self, lane_ids: Sequence[int], packets: int) -> None:
        """Each of the lanes, new ones, has carried that many packets, and all of them ended.

        Their contents are of the usual size and of no meaning: nobody reads them again. Raises
        ``RegistryUnreachable``.
        """
        connection = await self._database.connect()
        try:
            driver = await driver_of(connection)
            await driver.execute(f"SET statement_timeout = '{_PATIENCE_SECONDS}s'")
            for lane_id in lane_ids:
                for first in range(1, packets + 1, _PART):
                    await _add_part(driver, lane_id, first, min(first + _PART, packets + 1))
            await driver.execute("ANALYZE", timeout=_PATIENCE_SECONDS)
        finally:
            await discard(connection)


async def _add_part(driver: Any, lane_id: int, first: int, end: int) -> None:
    async with driver.transaction():
        for statement in _PAST:
            text = statement.replace("{proof}", str(PROOF))
            await driver.execute(text, lane_id, first, end, timeout=_PATIENCE_SECONDS)
