"""PacketService: see protos/ydhub/packet/v1."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from ydhub.packet.v1 import packet_service_pb2 as pb
from ydhub.packet.v1.packet_service_pb2_grpc import PacketServiceServicer

from hub.exchange import proofs, story
from hub.wire.names import parse_lane_name, parse_packet_name
from hub.wire.packet import decode_acknowledgement, decode_packet
from hub.wire.packets import (
    bundle_to_proto,
    record_to_proto,
    starts_from_proto,
    state_from_proto,
    story_to_proto,
)
from hub.wire.page import Page

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from hub.server.hub import Hub

MAX_BUNDLES: Final = 2
"""Proof bundles that are made at once: their headers are verified here, and that is work."""

_DECODERS = proofs.Decoders(packet=decode_packet, acknowledgement=decode_acknowledgement)


class PacketService(PacketServiceServicer):
    """Shows what became of packets."""

    def __init__(self, hub: Hub) -> None:
        """Over *hub*."""
        self._hub = hub
        self._bundles = asyncio.Semaphore(MAX_BUNDLES)

    async def ListPackets(
        self, request: pb.ListPacketsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListPacketsResponse:
        """As the contract says."""
        key, state = parse_lane_name(request.parent), state_from_proto(request.state)
        scope = f"packets {request.parent} {request.state}"
        page = Page.parse(scope, request.page_size, request.page_token)
        found = await story.page(self._hub.registry, key, state, page.after_number(), page.size)
        token = page.token_after(str(found.after)) if found.more else ""
        return pb.ListPacketsResponse(
            packets=[record_to_proto(standing) for standing in found.standings],
            next_page_token=token,
        )

    async def GetPacket(
        self, request: pb.GetPacketRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetPacketResponse:
        """As the contract says."""
        found = await story.get(self._hub.registry, *parse_packet_name(request.name))
        return pb.GetPacketResponse(packet=record_to_proto(found))

    async def ExplainPacket(
        self, request: pb.ExplainPacketRequest, context: ServicerContext[Any, Any]
    ) -> pb.ExplainPacketResponse:
        """As the contract says."""
        found = await story.explain(self._hub.registry, *parse_packet_name(request.name))
        return story_to_proto(found)

    async def GetPacketProof(
        self, request: pb.GetPacketProofRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetPacketProofResponse:
        """As the contract says."""
        key, sequence = parse_packet_name(request.name)
        starts = starts_from_proto(request.starts)
        async with self._bundles:
            found = await proofs.fetch(self._hub.registry, key, sequence, starts, _DECODERS)
        return bundle_to_proto(found)
