"""StatusService: see protos/ydhub/hub/v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ydhub.hub.v1.status_service_pb2_grpc import StatusServiceServicer

from hub.exchange import overview, status
from hub.server.call import IDENTITY
from hub.server.health_report import health_to_proto
from hub.wire.hub import report_to_proto
from hub.wire.overview import activity_to_proto

if TYPE_CHECKING:
    from grpc.aio import ServicerContext
    from ydhub.hub.v1 import status_service_pb2 as pb

    from hub.server.hub import Hub


class StatusService(StatusServiceServicer):
    """Tells how the hub is."""

    def __init__(self, hub: Hub) -> None:
        """Over *hub*."""
        self._hub = hub

    async def GetStatus(
        self, request: pb.GetStatusRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetStatusResponse:
        """As the contract says."""
        found = await status.report(self._hub.registry)
        return report_to_proto(found, version=self._hub.version, caller=str(IDENTITY.get()))

    async def GetActivity(
        self, request: pb.GetActivityRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetActivityResponse:
        """As the contract says."""
        found = await overview.activity(self._hub.registry)
        return activity_to_proto(found.at, found.lanes)

    async def GetDatabase(
        self, request: pb.GetDatabaseRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetDatabaseResponse:
        """As the contract says."""
        found = await overview.database(
            self._hub.registry, self._hub.clock, ask_invariants=request.ask_invariants
        )
        return health_to_proto(found, version=self._hub.version)
