"""PeerService: see protos/ydhub/peer/v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ydhub.peer.v1 import peer_service_pb2 as pb
from ydhub.peer.v1.peer_service_pb2_grpc import PeerServiceServicer

from hub.exchange import peers
from hub.server.call import author
from hub.wire.names import parse_peer_name
from hub.wire.page import Page
from hub.wire.peers import peer_to_proto, registration_from_proto
from hub.wire.requests import parse_cause

if TYPE_CHECKING:
    from grpc.aio import ServicerContext
    from ydhub.peer.v1 import peer_pb2

    from hub.core.peer import Peer
    from hub.ports.leases import Lease
    from hub.server.hub import Hub


class PeerService(PeerServiceServicer):
    """Admits and shows peers, suspends them and lets them take part again."""

    def __init__(self, hub: Hub) -> None:
        """Over *hub*."""
        self._hub = hub

    async def RegisterPeer(
        self, request: pb.RegisterPeerRequest, context: ServicerContext[Any, Any]
    ) -> pb.RegisterPeerResponse:
        """As the contract says."""
        found = registration_from_proto(request.peer)
        by = author(request, request.request_id)
        contents = (found.peer, found.display_name, found.anchor)
        if request.validate_only:
            now = self._hub.clock.now()
            peer, already = await peers.check_registration(self._hub.registry, *contents, now)
        else:
            peer, already = await peers.register(self._hub.registry, *contents, by)
        return pb.RegisterPeerResponse(peer=self._message(peer), already_done=already)

    async def ListPeers(
        self, request: pb.ListPeersRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListPeersResponse:
        """As the contract says."""
        page = Page.parse("peers", request.page_size, request.page_token)
        found, more = await peers.page(self._hub.registry, page.after, page.size)
        token = page.token_after(found[-1][0].peer) if more else ""
        return pb.ListPeersResponse(
            peers=[self._message(*entry) for entry in found], next_page_token=token
        )

    async def GetPeer(
        self, request: pb.GetPeerRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetPeerResponse:
        """As the contract says."""
        found = await peers.get(self._hub.registry, parse_peer_name(request.name))
        return pb.GetPeerResponse(peer=self._message(*found))

    async def SuspendPeer(
        self, request: pb.SuspendPeerRequest, context: ServicerContext[Any, Any]
    ) -> pb.SuspendPeerResponse:
        """As the contract says."""
        peer, cause = parse_peer_name(request.name), parse_cause(request.cause)
        by = author(request, request.request_id)
        found, already = await peers.suspend(self._hub.registry, peer, cause, by)
        return pb.SuspendPeerResponse(peer=self._message(found), already_done=already)

    async def ResumePeer(
        self, request: pb.ResumePeerRequest, context: ServicerContext[Any, Any]
    ) -> pb.ResumePeerResponse:
        """As the contract says."""
        peer, cause = parse_peer_name(request.name), parse_cause(request.cause)
        by = author(request, request.request_id)
        found, already = await peers.resume(self._hub.registry, peer, cause, by)
        return pb.ResumePeerResponse(peer=self._message(found), already_done=already)

    def _message(self, peer: Peer, lease: Lease | None = None) -> peer_pb2.Peer:
        return peer_to_proto(peer, lease, self._hub.trust_domain)
