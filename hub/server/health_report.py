"""How the database is, as the hub answers it and as ``ydhub-server report`` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.wire.invariants import invariant_to_proto
from hub.wire.overview import database_to_proto
from hub.wire.times import timestamp_to_proto

if TYPE_CHECKING:
    from ydhub.hub.v1 import status_service_pb2 as pb

    from hub.exchange.overview import DatabaseHealth


def health_to_proto(health: DatabaseHealth, *, version: str) -> pb.GetDatabaseResponse:
    """*health*, with the program's version."""
    message = database_to_proto(health.report)
    message.version = version
    message.schema_revision = health.schema_revision
    message.partition_days_ahead = health.partition_days
    message.hub_time.CopyFrom(timestamp_to_proto(health.hub_time))
    message.database_time.CopyFrom(timestamp_to_proto(health.database_time))
    message.invariants.extend([invariant_to_proto(found) for found in health.violations])
    return message
