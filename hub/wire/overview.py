"""What the lanes do and how the database is, to protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.hub.v1 import status_service_pb2 as pb

from hub.wire.lanes import lane_state_to_proto
from hub.wire.packets import kind_to_proto
from hub.wire.times import duration_to_proto, timestamp_to_proto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.report import DatabaseReport, LaneActivity
    from hub.core.time import Timestamp


def activity_to_proto(at: Timestamp, lanes: Sequence[LaneActivity]) -> pb.GetActivityResponse:
    """Every lane in numbers, as of *at*."""
    return pb.GetActivityResponse(time=timestamp_to_proto(at), lanes=[_lane(one) for one in lanes])


def database_to_proto(report: DatabaseReport) -> pb.GetDatabaseResponse:
    """What the database says of itself."""
    return pb.GetDatabaseResponse(
        needed_revision=report.needed_revision,
        server_version=report.server_version,
        settings=[
            pb.DatabaseSetting(name=one.name, value=one.value, is_durable=one.is_durable)
            for one in report.settings
        ],
        connection_count=report.connection_count,
        max_connection_count=report.max_connection_count,
        tables=[
            pb.TableUpkeep(name=one.name, live_count=one.live_count, dead_count=one.dead_count)
            for one in report.tables
        ],
        leases=[
            pb.LeaseUpkeep(
                peer=f"peers/{one.peer}",
                owner=one.owner,
                is_attached=one.is_attached,
                expire_time=timestamp_to_proto(one.expires_at),
            )
            for one in report.leases
        ],
        oldest_transaction=duration_to_proto(report.oldest_transaction),
        waiting_session_count=report.waiting_session_count,
        size_bytes=report.size_bytes,
        disk_free_bytes=report.disk_free_bytes,
        disk_total_bytes=report.disk_total_bytes,
        transactions_left=report.transactions_left,
    )


def _lane(one: LaneActivity) -> pb.LaneActivity:
    message = pb.LaneActivity(
        lane=one.key.name,
        state=lane_state_to_proto(one.state),
        pause_cause=one.pause_cause,
        source_stopped=one.source_stopped,
        destination_stopped=one.destination_stopped,
        accepted_count=one.accepted_count,
        delivered_count=one.delivered_count,
        outcome_count=one.outcome_count,
        completed_count=one.completed_count,
        open_count=one.open_count,
        owed_count=one.owed_count,
        hole_count=one.hole_count,
        exceptions=[
            pb.ExceptionCount(
                kind=kind_to_proto(found.kind),
                count=found.count,
                oldest_time=timestamp_to_proto(found.oldest),
            )
            for found in one.exceptions
        ],
    )
    if one.oldest_open_at is not None:
        message.oldest_open_time.CopyFrom(timestamp_to_proto(one.oldest_open_at))
    if one.oldest_owed_at is not None:
        message.oldest_owed_time.CopyFrom(timestamp_to_proto(one.oldest_owed_at))
    return message
