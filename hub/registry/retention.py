"""Old days are dropped, a whole day at a time, from the oldest on, while everything runs.

A day goes when every packet of it has ended at both chains, no timeout waits for one, and it is
older than what is kept. In one transaction its sequences are noted as ``retired``, and the audit
trail says so; it ends under lock, and only if nothing of the day was opened again (reopenings.py)
since it was looked at. Then its partitions are detached, which lets writers and readers go on, and
dropped: packets first, proofs last, so that at no moment a fact stands without its proof. What is
cut off between is taken up again by the next look.

Source: design section 5 ("dropped only when all its packets are terminal").
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog

from hub.registry.multirange import gathered
from hub.registry.partitions import LOCK, day_of, partition

if TYPE_CHECKING:
    from datetime import date

    from hub.registry.engine import Database

_log = structlog.get_logger()

_PATIENCE_SECONDS: Final = 600
_IN_ORDER: Final = ("packets", "outcomes", "proofs")
_TURN: Final = "SELECT pg_try_advisory_lock(hashtextextended('ydhub:retention', 0))"
_TURN_OVER: Final = "SELECT pg_advisory_unlock(hashtextextended('ydhub:retention', 0))"
_LIMITS: Final = f"""
SET statement_timeout = '{_PATIENCE_SECONDS}s';
-- Detaching waits for transactions that have begun, and nobody waits behind it.
SET lock_timeout = '10s';
"""
_LIMITS_OVER: Final = "RESET statement_timeout; RESET lock_timeout"

_OPEN: Final = """
SELECT EXISTS (
    SELECT FROM packets p LEFT JOIN outcomes o USING (lane_id, sequence)
    WHERE p.day = $1 AND (o.outcome_index IS NULL OR {owed} OR EXISTS (
        SELECT FROM timeout_batches t
        WHERE t.lane_id = p.lane_id AND p.sequence BETWEEN t.first AND t.last
    ))
) OR EXISTS (
    SELECT FROM outcomes o WHERE o.day = $1 AND {owed}
) OR EXISTS (
    SELECT FROM outcomes o JOIN packets p USING (lane_id, sequence)
    WHERE o.day = $1 AND p.day > $1
)
""".replace(
    "{owed}",
    """EXISTS (
        SELECT FROM lane_sides s WHERE s.lane_id = o.lane_id AND s.side = 'SOURCE' AND (
            NOT s.progress @> o.outcome_index
            OR EXISTS (
                SELECT FROM closed_holes h
                WHERE h.lane_id = o.lane_id AND h.side = 'SOURCE' AND h.kind = 'PROGRESS'
                    AND o.outcome_index >= h.low AND o.outcome_index < h.high
            )
        )
    )""",
)
"""Also what was settled elsewhere is noted as executed by the source's next session, which reads
it: it stays until then."""
_LAST_REOPENING: Final = "SELECT coalesce(max(reopening_id), 0) FROM reopenings"
_REOPENED: Final = """
-- OFFSET 0 keeps the lookup of one packet a lookup.
SELECT EXISTS (
    SELECT FROM reopenings r CROSS JOIN LATERAL (
        SELECT FROM packets p
        WHERE p.lane_id = r.lane_id AND p.sequence = r.sequence AND p.day = $1 OFFSET 0
    ) mine WHERE r.reopening_id > $2
)
"""
_NOTE: Final = (
    """
INSERT INTO retired AS r (lane_id, sequences, settled, indexes)
SELECT lane_id, coalesce(p.kept, '{}'), coalesce(s.kept, '{}'), coalesce(i.kept, '{}')
FROM ({sequences}) p FULL JOIN ({settled}) s USING (lane_id) FULL JOIN ({indexes}) i USING (lane_id)
ON CONFLICT (lane_id) DO UPDATE SET
    sequences = r.sequences + excluded.sequences, settled = r.settled + excluded.settled,
    indexes = r.indexes + excluded.indexes
""".replace("{sequences}", gathered("sequence", "(SELECT * FROM packets WHERE day = $1)"))
    .replace("{settled}", gathered("sequence", "(SELECT * FROM outcomes WHERE day = $1)"))
    .replace("{indexes}", gathered("outcome_index", "(SELECT * FROM outcomes WHERE day = $1)"))
)
_IS_NOTED: Final = """
SELECT EXISTS (
    SELECT FROM audit_events WHERE subject = 'days/' || $1::date AND action = 'day.retired'
)
"""
_AUDIT: Final = """
INSERT INTO audit_events (identity, action, subject, revision, detail)
SELECT $2, 'day.retired', 'days/' || $1::date, 1, format('%s packets, %s outcomes',
    (SELECT count(*) FROM packets WHERE day = $1), (SELECT count(*) FROM outcomes WHERE day = $1))
"""
_DAYS: Final = """
SELECT c.relname AS name, i.inhdetachpending AS is_pending, i.inhrelid IS NOT NULL AS is_attached
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
    AND c.relname ~ '^(packets|outcomes|proofs)_[0-9]{8}$'
"""


class _OpenAgainError(Exception):
    """Something of the day was opened again meanwhile."""


async def retire(database: Database, keep_days: int, by: str) -> list[date]:
    """Days before the last *keep_days* are dropped while all of theirs has ended; returns them.

    The first day that must stay keeps all later ones too. *by* is who drops, for the audit trail.
    None are dropped while another process drops some. Raises ``RegistryUnreachable``, also where a
    long transaction keeps a day: it is noted then, read no more, and dropped by the next look.
    """
    async with database.line() as line:
        if not await line.fetchval(_TURN):
            return []
        try:
            await line.execute(_LIMITS)
            return await _retire(line, keep_days, by)
        finally:
            if not line.is_closed():
                await line.execute(_LIMITS_OVER)
                await line.execute(_TURN_OVER)


async def _retire(line: Any, keep_days: int, by: str) -> list[date]:
    oldest_kept = await line.fetchval("SELECT current_date - $1::integer", keep_days)
    standing = {row["name"]: row for row in await line.fetch(_DAYS)}
    gone: list[date] = []
    for day in sorted({day_of(name) for name in standing}):
        if day >= oldest_kept or not await _note(line, day, by):
            break
        for name in [partition(table, day) for table in _IN_ORDER]:
            if name in standing:
                await _drop(line, standing[name])
        _log.info("day_retired", day=str(day))
        gone.append(day)
    return gone


async def _note(line: Any, day: date, by: str) -> bool:
    """Whether all of the day has ended, and its sequences are noted as retired, durably."""
    if await line.fetchval(_IS_NOTED, day):
        return True
    last = await _last_reopening(line)
    if await line.fetchval(_OPEN, day, timeout=_PATIENCE_SECONDS):
        return False
    with suppress(_OpenAgainError):
        async with line.transaction():
            await line.execute(_NOTE, day, timeout=_PATIENCE_SECONDS)
            await line.execute(_AUDIT, day, by, timeout=_PATIENCE_SECONDS)
            # Only now, since others wait for it two seconds at most, and all above may take long.
            await line.execute(LOCK)
            if await line.fetchval(_REOPENED, day, last):
                raise _OpenAgainError
        return True
    return False


async def _last_reopening(line: Any) -> int:
    """The last reopening's id; whatever is asked next sees all up to it, and later ones are above.

    Those under way have the lock, so none of them has an id and is not committed.
    """
    async with line.transaction():
        await line.execute(LOCK)
        last: int = await line.fetchval(_LAST_REOPENING)
    return last


async def _drop(line: Any, row: Any) -> None:
    """The partition is gone; who writes or reads the others waits for nothing."""
    name, table = row["name"], row["name"].rpartition("_")[0]
    if row["is_attached"]:
        how = "FINALIZE" if row["is_pending"] else "CONCURRENTLY"
        await line.execute(
            f"ALTER TABLE {table} DETACH PARTITION {name} {how}", timeout=_PATIENCE_SECONDS
        )
    await line.execute(f"DROP TABLE {name}", timeout=_PATIENCE_SECONDS)
