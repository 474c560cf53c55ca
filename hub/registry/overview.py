"""Lanes and the database in numbers, from Postgres.

One statement reads all lanes: both rows of each, and for a lane in which something waits one look
into its packets and one into its outcomes.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from hub.core.lane import LaneKey, LaneState
from hub.core.record import ExceptionKind
from hub.core.report import (
    STANDBY,
    DatabaseReport,
    ExceptionCount,
    LaneActivity,
    LeaseUpkeep,
    Setting,
    TableUpkeep,
)
from hub.core.time import Duration
from hub.registry import schema
from hub.registry.engine import answering
from hub.registry.lanes import VIEW
from hub.registry.moments import timestamp
from hub.registry.multirange import from_text
from hub.registry.replication import STANDBYS, standby_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.ids import PeerId
    from hub.registry.engine import Database

_LANES: Final = """
SELECT v.*, p.accepted_at AS oldest_open_at, o.recorded_at AS oldest_owed_at
FROM ({view}) v CROSS JOIN LATERAL (
    SELECT lower(v.source_done::int8multirange - v.destination_done::int8multirange) AS open,
        lower(int8multirange(int8range(0, v.destination_outcome_count))
            - v.source_progress::int8multirange) AS owed
) w LEFT JOIN LATERAL (
    SELECT accepted_at FROM packets
    WHERE w.open IS NOT NULL AND lane_id = v.lane_id AND sequence = w.open
    ORDER BY day DESC LIMIT 1
) p ON true LEFT JOIN LATERAL (
    SELECT recorded_at FROM outcomes
    WHERE w.owed IS NOT NULL AND lane_id = v.lane_id AND outcome_index = w.owed
    ORDER BY day DESC LIMIT 1
) o ON true
ORDER BY v.name
""".replace("{view}", VIEW)
_EXCEPTIONS: Final = """
SELECT lane_id, kind, count(*) AS count, min(since) AS oldest FROM exceptions
GROUP BY lane_id, kind ORDER BY lane_id, kind
"""
_SERVER: Final = """
SELECT
    current_setting('server_version') AS server_version,
    current_setting('max_connections')::integer AS max_connections,
    count(*) FILTER (WHERE backend_type = 'client backend') AS connections,
    count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting,
    coalesce(extract(epoch FROM max(clock_timestamp() - xact_start) FILTER (
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
            AND datname = current_database() AND wait_event IS DISTINCT FROM 'SyncRep'
    )), 0) AS oldest_seconds,
    pg_database_size(current_database()) AS size,
    CASE WHEN pg_has_role('pg_read_all_settings', 'MEMBER')
        THEN current_setting('data_directory') ELSE '' END AS directory,
    2147483647 - (SELECT max(age(datfrozenxid)) FROM pg_database) AS transactions_left
FROM pg_stat_activity
"""
_TABLES: Final = """
SELECT relname, n_live_tup, n_dead_tup FROM pg_stat_user_tables
ORDER BY n_dead_tup DESC, relname LIMIT 20
"""
_LEASES: Final = "SELECT peer, owner, attached, expires_at FROM leases ORDER BY peer"
_NS_PER_SECOND: Final = 1_000_000_000


class PostgresOverview:
    """``hub.ports.overview.Overview`` in Postgres."""

    def __init__(self, database: Database) -> None:
        """The overview of *database*."""
        self._database = database

    async def lanes(self) -> Sequence[LaneActivity]:
        """As the port says."""
        async with self._database.look() as line:
            rows = await line.fetch(_LANES)
            counted = await line.fetch(_EXCEPTIONS)
        counts: dict[int, list[ExceptionCount]] = defaultdict(list)
        for row in counted:
            kind = ExceptionKind(row["kind"])
            found = ExceptionCount(kind, row["count"], timestamp(row["oldest"]))
            counts[row["lane_id"]].append(found)
        return [_activity(row, counts[row["lane_id"]]) for row in rows]

    async def database(self) -> DatabaseReport:
        """As the port says."""
        async with self._database.look() as line:
            server = await line.fetchrow(_SERVER)
            tables = await line.fetch(_TABLES)
            leases = await line.fetch(_LEASES)
            standbys = await line.fetchrow(STANDBYS)
        settings = await self._settings()
        free, total = _room(server["directory"])
        return DatabaseReport(
            needed_revision=schema.REVISION,
            server_version=server["server_version"].split()[0],
            settings=(*settings, _standby(standbys)),
            connection_count=server["connections"],
            max_connection_count=server["max_connections"],
            tables=tuple([TableUpkeep(*row) for row in tables]),
            leases=tuple([_lease(row) for row in leases]),
            oldest_transaction=Duration(int(server["oldest_seconds"] * _NS_PER_SECOND)),
            waiting_session_count=server["waiting"],
            size_bytes=server["size"],
            disk_free_bytes=free,
            disk_total_bytes=total,
            transactions_left=server["transactions_left"],
        )

    async def _settings(self) -> list[Setting]:
        with answering():
            connection = await self._database.connect()
            try:
                found = await schema.settings(connection)
            finally:
                await connection.close()
        return [Setting(name, value, schema.is_durable(name, value)) for name, value in found]


def _standby(found: Any) -> Setting:
    """Who has every commit: nobody demands a standby, so none is safe enough."""
    names = found["names"]
    problem = standby_problem(found) if names else ""
    value = problem or f"{found['synchronous']} synchronous" if names else "none demanded"
    return Setting(STANDBY, value, not problem)


def _activity(row: Mapping[str, Any], exceptions: Sequence[ExceptionCount]) -> LaneActivity:
    done, ended = from_text(row["source_done"]), from_text(row["destination_done"])
    outcomes, executed = row["destination_outcome_count"], from_text(row["source_progress"])
    opened, owed = row["oldest_open_at"], row["oldest_owed_at"]
    return LaneActivity(
        key=LaneKey.parse(row["name"]),
        state=LaneState(row["state"]),
        pause_cause=row["pause_cause"],
        source_stopped=row["source_stopped"],
        destination_stopped=row["destination_stopped"],
        accepted_count=len(done),
        delivered_count=len(from_text(row["destination_progress"])),
        outcome_count=outcomes,
        completed_count=len(executed),
        open_count=len(done - ended),
        owed_count=outcomes - len(executed),
        hole_count=len(done.holes(row["first_sequence"]) - ended),
        oldest_open_at=timestamp(opened) if opened is not None else None,
        oldest_owed_at=timestamp(owed) if owed is not None else None,
        exceptions=tuple(exceptions),
    )


def _lease(row: Mapping[str, Any]) -> LeaseUpkeep:
    peer: PeerId = row["peer"]
    return LeaseUpkeep(
        peer=peer,
        owner=row["owner"] or "",
        is_attached=row["attached"],
        expires_at=timestamp(row["expires_at"]),
    )


def _room(directory: str) -> tuple[int, int]:
    """Free bytes and all bytes of the disk of *directory*; 0 where it is another machine's."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return 0, 0
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
