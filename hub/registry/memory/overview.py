"""Lanes in numbers, from memory; its database is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.lane import Side
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind
from hub.core.report import DatabaseReport, ExceptionCount, LaneActivity, LeaseUpkeep, Setting
from hub.core.time import Duration
from hub.registry.memory.audit import REVISION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hub.registry.memory.state import LaneRow, State

_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums")


class MemoryOverview:
    """``hub.ports.overview.Overview`` in memory."""

    def __init__(self, state: State) -> None:
        """The overview of *state*."""
        self._state = state

    async def lanes(self) -> Sequence[LaneActivity]:
        """As the port says."""
        rows = sorted(self._state.lanes.values(), key=lambda row: str(row.lane.key))
        return [self._activity(row) for row in rows]

    async def database(self) -> DatabaseReport:
        """As the port says."""
        leases = [
            LeaseUpkeep(
                peer=peer,
                owner=row.owner or "",
                is_attached=row.attached,
                expires_at=row.expires_at,
            )
            for peer, row in sorted(self._state.leases.items())
        ]
        settings = [Setting(name, "on", is_durable=True) for name in _SETTINGS]
        return DatabaseReport(
            needed_revision=REVISION,
            server_version="0",
            settings=(*settings, Setting("in_recovery", "off", is_durable=True)),
            connection_count=1,
            max_connection_count=100,
            tables=(),
            leases=tuple(leases),
            oldest_transaction=Duration(0),
            waiting_session_count=0,
            size_bytes=0,
            disk_free_bytes=0,
            disk_total_bytes=0,
            transactions_left=2**31 - 1,
        )

    def _activity(self, row: LaneRow) -> LaneActivity:
        key = row.lane.key
        source = row.sides[Side.SOURCE].as_side()
        destination = row.sides[Side.DESTINATION].as_side()
        opened = source.done - destination.done
        owed = RangeSet.span(0, destination.outcome_count) - source.progress
        holes = source.done.holes(row.lane.first_sequence) - destination.done
        return LaneActivity(
            key=key,
            state=row.lane.state,
            pause_cause=row.lane.pause_cause,
            source_stopped=self._state.stopped_cause(key.source_peer),
            destination_stopped=self._state.stopped_cause(key.destination_peer),
            accepted_count=len(source.done),
            delivered_count=len(destination.progress),
            outcome_count=destination.outcome_count,
            completed_count=len(source.progress),
            open_count=len(opened),
            owed_count=len(owed),
            hole_count=len(holes),
            oldest_open_at=row.packets[opened.first].accepted_at if opened else None,
            oldest_owed_at=row.outcomes[owed.first].recorded_at if owed else None,
            exceptions=tuple(_counts(row)),
        )


def _counts(row: LaneRow) -> Iterator[ExceptionCount]:
    for kind in sorted(ExceptionKind):
        since = [found.since for found in row.exceptions.values() if found.kind is kind]
        if since:
            yield ExceptionCount(kind, len(since), min(since))
