"""PacketService: see protos/ydhub/packet/v1."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from ydhub.packet.v1 import packet_service_pb2 as pb
from ydhub.packet.v1.packet_service_pb2_grpc import PacketServiceServicer

from hub.core.errors import FieldInvalid
from hub.exchange import listing, proofs, retries, story
from hub.ports.packets import ExceptionFilter
from hub.server.call import author
from hub.wire.names import parse_lane_name, parse_packet_name
from hub.wire.packet import decode_acknowledgement, decode_packet
from hub.wire.packets import (
    bundle_to_proto,
    kind_from_proto,
    listed_to_proto,
    place_to_name,
    record_to_proto,
    starts_from_proto,
    state_from_proto,
    story_to_proto,
)
from hub.wire.page import Page
from hub.wire.times import duration_from_proto

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from hub.server.hub import Hub

MAX_BUNDLES: Final = 2
"""Proof bundles that are made at once: their headers are verified here, and that is work."""
RETRIES: Final = 100
"""Packets that one request retries unless it says how many."""

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
        registry = self._hub.registry
        lane = parse_lane_name(request.parent) if request.parent else None
        state, kind = state_from_proto(request.state), kind_from_proto(request.exception)
        if state is not None and kind is not None:
            raise FieldInvalid(field="exception", problem="is given beside a state")
        age = duration_from_proto(request.older_than, "older_than")
        scope = f"packets {request.parent} {request.state} {request.exception} {age}"
        page = Page.parse(scope, request.page_size, request.page_token)
        after, before = page.after_place(), await listing.since(registry, age)
        if kind is not None:
            wanted = ExceptionFilter(kind=kind, lane=lane, before=before)
            found = await listing.by_exception(registry, wanted, after, page.size)
        else:
            narrowed = listing.StateFilter(state=state, lane=lane, before=before)
            found = await listing.by_state(registry, narrowed, after, page.size)
        token = page.token_after("{}/{}".format(*found.after)) if found.after is not None else ""
        return pb.ListPacketsResponse(
            packets=[
                listed_to_proto(one.lane, one.sequence, one.standing, one.exception)
                for one in found.packets
            ],
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

    async def RetryPackets(
        self, request: pb.RetryPacketsRequest, context: ServicerContext[Any, Any]
    ) -> pb.RetryPacketsResponse:
        """As the contract says."""
        registry, by = self._hub.registry, author(request, request.request_id)
        only = request.validate_only
        kind = kind_from_proto(request.exception)
        if request.names:
            if kind is not None or request.parent or request.HasField("older_than"):
                raise FieldInvalid(field="names", problem="are given beside what chooses others")
            names = [parse_packet_name(name) for name in request.names]
            done = await retries.retry_named(registry, names, by, validate_only=only)
        else:
            if kind is None:
                raise FieldInvalid(field="exception", problem="is not given, and no names are")
            lane = parse_lane_name(request.parent) if request.parent else None
            age = duration_from_proto(request.older_than, "older_than")
            before = await listing.since(registry, age)
            wanted = ExceptionFilter(kind=kind, lane=lane, before=before)
            limit = _limit(request.max_count)
            done = await retries.retry_matching(registry, wanted, limit, by, validate_only=only)
        return pb.RetryPacketsResponse(
            retried=[place_to_name(*place) for place in done.due],
            skipped=[place_to_name(*place) for place in done.skipped],
            has_more=done.has_more,
        )


def _limit(max_count: int) -> int:
    """Most packets to retry. Raises ``FieldInvalid``."""
    if not 0 <= max_count <= retries.MAX_AT_ONCE:
        raise FieldInvalid(field="max_count", problem=f"is not 0 to {retries.MAX_AT_ONCE}")
    return max_count or RETRIES
