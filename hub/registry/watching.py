"""What has changed, by the transactions that wrote the rows: nothing is written for it.

A position is the oldest transaction that was still open. Every row names the transaction that wrote
it, and whoever commits later than the position was taken has a number not below it; a part of a
transaction has a higher number than the whole. Numbers of rows have 32 bits: they are read as the
nearest ones not above the newest.

Source: PostgreSQL manual, "System Columns" (xmin) and pg_current_snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.core.ranges import RangeSet
from hub.ports.watching import Written, WrittenLane
from hub.registry.records import side_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.registry.engine import Database

_POSITION: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_TOP: Final = """
WITH newest AS MATERIALIZED (
    SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS top
)"""


def _written(row: str) -> str:
    """SQL: *row* was written by a transaction that is not below $1."""
    low = f"{row}.xmin::text::bigint"
    return f"""((SELECT top - (top & 4294967295) + {low}
        - CASE WHEN {low} > (top & 4294967295) THEN 4294967296 ELSE 0 END FROM newest) >= $1)"""  # noqa: S608 - our own parts


_PEERS: Final = f"""{_TOP}
SELECT 'peers/' || p.peer AS name FROM peers p LEFT JOIN leases l USING (peer)
WHERE $1 = 0 OR {_written("p")} OR (l.peer IS NOT NULL AND {_written("l")})
ORDER BY 1
"""  # noqa: S608 - our own parts
_CLIENTS: Final = f"""{_TOP}
SELECT 'peers/' || c.peer || '/client' AS name FROM hub_clients c LEFT JOIN LATERAL (
    SELECT {_written("headers")} AS is_new FROM headers
    WHERE headers.peer = c.peer ORDER BY height DESC LIMIT 1
) h ON true
WHERE $1 = 0 OR {_written("c")} OR h.is_new
UNION ALL
SELECT 'peers/' || c.peer || '/clients/' || c.client FROM chain_clients c
WHERE $1 = 0 OR {_written("c")}
ORDER BY 1
"""  # noqa: S608 - our own parts
_LANES: Final = f"""{_TOP}
SELECT 'lanes/' || l.name AS name FROM lanes l
WHERE $1 = 0 OR {_written("l")} OR EXISTS (
    SELECT FROM lane_sides s WHERE s.lane_id = l.lane_id AND {_written("s")}
) OR EXISTS (
    SELECT FROM exceptions e WHERE e.lane_id = l.lane_id AND {_written("e")}
)
ORDER BY 1
"""  # noqa: S608 - our own parts
_WRITTEN: Final = """
WITH since AS MATERIALIZED (
    SELECT age(($1::bigint & 4294967295)::text::xid) AS age
), ids AS (
    SELECT lane_id, false AS is_changed FROM lane_sides WHERE age(xmin) <= (SELECT age FROM since)
    UNION ALL
    SELECT lane_id, true FROM lanes WHERE age(xmin) <= (SELECT age FROM since)
    UNION ALL
    SELECT lane_id, true FROM routes WHERE age(xmin) <= (SELECT age FROM since)
    UNION ALL
    SELECT lane_id, true FROM exceptions WHERE age(xmin) <= (SELECT age FROM since)
), written AS (
    SELECT lane_id, bool_or(is_changed) AS is_changed FROM ids GROUP BY lane_id
)
SELECT w.lane_id, w.is_changed, l.source_peer, l.destination_peer,
    s.epoch AS source_epoch, s.gate AS source_gate, s.outcome_count AS source_outcome_count,
    s.done::text AS source_done, s.progress::text AS source_progress,
    s.reopened_count AS source_reopened_count,
    d.epoch AS destination_epoch, d.gate AS destination_gate,
    d.outcome_count AS destination_outcome_count, d.done::text AS destination_done,
    d.progress::text AS destination_progress, d.reopened_count AS destination_reopened_count
FROM written w JOIN lanes l USING (lane_id)
JOIN lane_sides s ON s.lane_id = w.lane_id AND s.side = 'SOURCE'
JOIN lane_sides d ON d.lane_id = w.lane_id AND d.side = 'DESTINATION'
ORDER BY w.lane_id
"""
_GOVERNED: Final = """
WITH since AS MATERIALIZED (
    SELECT age(($1::bigint & 4294967295)::text::xid) AS age
)
SELECT peer FROM peers p JOIN hub_clients c USING (peer)
WHERE age(p.xmin) <= (SELECT age FROM since) OR age(c.xmin) <= (SELECT age FROM since)
ORDER BY peer
"""
_EXCEPTIONS: Final = f"""{_TOP}
SELECT e.sequence FROM exceptions e WHERE e.lane_id = $2 AND ($1 = 0 OR {_written("e")})
"""  # noqa: S608 - our own parts


class PostgresWatching:
    """``hub.ports.watching.Watching`` in Postgres."""

    def __init__(self, database: Database) -> None:
        """What changes in *database*."""
        self._database = database

    async def position(self) -> int:
        """As the port says."""
        async with self._database.line() as line:
            return int(await line.fetchval(_POSITION))

    async def peers(self, since: int) -> Sequence[str]:
        """As the port says."""
        return await self._names(_PEERS, since)

    async def clients(self, since: int) -> Sequence[str]:
        """As the port says."""
        return await self._names(_CLIENTS, since)

    async def lanes(self, since: int) -> Sequence[str]:
        """As the port says."""
        return await self._names(_LANES, since)

    async def written(self, since: int) -> Written:
        """As the port says."""
        async with self._database.line() as line:
            position = int(await line.fetchval(_POSITION))
            peers = await line.fetch(_GOVERNED, since)
            lanes = await line.fetch(_WRITTEN, since)
        return Written(
            position=position,
            peers=[row["peer"] for row in peers],
            lanes=[
                WrittenLane(
                    lane_id=row["lane_id"],
                    source_peer=row["source_peer"],
                    destination_peer=row["destination_peer"],
                    is_changed=row["is_changed"],
                    source=side_of(row, "source"),
                    destination=side_of(row, "destination"),
                )
                for row in lanes
            ],
        )

    async def exceptions(self, lane_id: int, since: int) -> RangeSet:
        """As the port says."""
        async with self._database.line() as line:
            rows = await line.fetch(_EXCEPTIONS, since, lane_id)
        return RangeSet.of([row["sequence"] for row in rows])

    async def _names(self, query: str, since: int) -> list[str]:
        async with self._database.line() as line:
            return sorted([row["name"] for row in await line.fetch(query, since)])
