"""RelayerService: see protos/ydhub/relayer/v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ydhub.relayer.v1 import relayer_service_pb2 as pb
from ydhub.relayer.v1.relayer_service_pb2_grpc import RelayerServiceServicer

from hub.exchange import relayers
from hub.server.call import author
from hub.wire.names import parse_relayer_name
from hub.wire.relayers import relayer_to_proto
from hub.wire.requests import parse_cause

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from hub.server.hub import Hub


class RelayerService(RelayerServiceServicer):
    """Shows relayers, and takes sessions from them."""

    def __init__(self, hub: Hub) -> None:
        """Over *hub*."""
        self._hub = hub

    async def ListRelayers(
        self, request: pb.ListRelayersRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListRelayersResponse:
        """As the contract says."""
        found = await relayers.all_of(self._hub.registry)
        return pb.ListRelayersResponse(relayers=[relayer_to_proto(one) for one in found])

    async def GetRelayer(
        self, request: pb.GetRelayerRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetRelayerResponse:
        """As the contract says."""
        found = await relayers.get(self._hub.registry, parse_relayer_name(request.name))
        return pb.GetRelayerResponse(relayer=relayer_to_proto(found))

    async def DrainRelayer(
        self, request: pb.DrainRelayerRequest, context: ServicerContext[Any, Any]
    ) -> pb.DrainRelayerResponse:
        """As the contract says."""
        relayer, cause = parse_relayer_name(request.name), parse_cause(request.cause)
        by = author(request, request.request_id)
        found, already = await relayers.drain(self._hub.registry, relayer, cause, by)
        return pb.DrainRelayerResponse(relayer=relayer_to_proto(found), already_done=already)

    async def UndrainRelayer(
        self, request: pb.UndrainRelayerRequest, context: ServicerContext[Any, Any]
    ) -> pb.UndrainRelayerResponse:
        """As the contract says."""
        relayer, cause = parse_relayer_name(request.name), parse_cause(request.cause)
        by = author(request, request.request_id)
        found, already = await relayers.undrain(self._hub.registry, relayer, cause, by)
        return pb.UndrainRelayerResponse(relayer=relayer_to_proto(found), already_done=already)
