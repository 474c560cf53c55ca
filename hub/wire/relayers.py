"""Relayers, to protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.relayer.v1 import relayer_pb2 as pb

from hub.wire.times import timestamp_to_proto

if TYPE_CHECKING:
    from hub.core.relayer import Relayer


def relayer_to_proto(relayer: Relayer) -> pb.Relayer:
    """*relayer*, with the state that its heartbeat and its operator give it."""
    return pb.Relayer(
        name=relayer.name,
        address=relayer.address,
        version=relayer.version,
        state=_state(relayer),
        session_count=relayer.sessions,
        start_time=timestamp_to_proto(relayer.started_at),
        heartbeat_time=timestamp_to_proto(relayer.heartbeat_at),
        etag=str(relayer.revision),
    )


def _state(relayer: Relayer) -> pb.RelayerState.ValueType:
    if not relayer.is_alive:
        return pb.RELAYER_STATE_GONE
    return pb.RELAYER_STATE_DRAINING if relayer.is_draining else pb.RELAYER_STATE_ACTIVE
