"""The hub's report, to protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.hub.v1 import status_service_pb2 as pb

from hub.wire.invariants import invariant_to_proto
from hub.wire.times import timestamp_to_proto

if TYPE_CHECKING:
    from hub.core.report import HubReport


def report_to_proto(report: HubReport, *, version: str, caller: str) -> pb.GetStatusResponse:
    """*report*, with the program's version and who asks."""
    return pb.GetStatusResponse(
        version=version,
        schema_revision=report.schema_revision,
        caller=caller,
        invariants=[invariant_to_proto(found) for found in report.invariants],
        relayers=[
            pb.RelayerStatus(
                name=relayer.name,
                peers=[f"peers/{peer}" for peer in relayer.peers],
                lease_expire_time=timestamp_to_proto(relayer.lease_expires_at),
            )
            for relayer in report.relayers
        ],
        peer_count=report.peer_count,
        open_lane_count=report.open_lane_count,
        accepted_count=report.accepted_count,
        ended_count=report.ended_count,
        exception_count=report.exception_count,
        disproven_reports=[
            pb.DisprovenReports(peer=f"peers/{peer}", reopened_count=count)
            for peer, count in report.disproven
        ],
    )
