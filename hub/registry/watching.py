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

    async def exceptions(self, lane_id: int, since: int) -> RangeSet:
        """As the port says."""
        async with self._database.line() as line:
            rows = await line.fetch(_EXCEPTIONS, since, lane_id)
        return RangeSet.of([row["sequence"] for row in rows])

    async def _names(self, query: str, since: int) -> list[str]:
        async with self._database.line() as line:
            return sorted([row["name"] for row in await line.fetch(query, since)])
