"""ClientService: see protos/ydhub/client/v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ydhub.client.v1 import client_service_pb2 as pb
from ydhub.client.v1.client_service_pb2_grpc import ClientServiceServicer

from hub.core.client import HubClient
from hub.exchange import clients, evidence
from hub.server.call import author
from hub.wire.anchors import anchor_from_proto
from hub.wire.clients import (
    chain_client_to_proto,
    evidence_bundle_to_proto,
    evidence_to_proto,
    hub_client_to_proto,
)
from hub.wire.headers import decode_header
from hub.wire.names import (
    parse_client_name,
    parse_evidence_name,
    parse_hub_client_name,
    parse_peer_name,
)
from hub.wire.page import Page
from hub.wire.requests import parse_cause

if TYPE_CHECKING:
    from grpc.aio import ServicerContext
    from ydhub.client.v1 import client_pb2

    from hub.exchange.clients import Client
    from hub.server.hub import Hub


class ClientService(ClientServiceServicer):
    """Shows light clients, stops them, and lets them start again."""

    def __init__(self, hub: Hub) -> None:
        """Over *hub*."""
        self._hub = hub

    async def ListClients(
        self, request: pb.ListClientsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListClientsResponse:
        """As the contract says."""
        peer = parse_peer_name(request.parent) if request.parent else None
        page = Page.parse(f"clients {request.parent}", request.page_size, request.page_token)
        found, more = await clients.page(self._hub.registry, peer, page.after, page.size)
        token = page.token_after(found[-1].name) if more else ""
        return pb.ListClientsResponse(
            clients=[self._message(client) for client in found], next_page_token=token
        )

    async def GetClient(
        self, request: pb.GetClientRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetClientResponse:
        """As the contract says."""
        found = await clients.get(self._hub.registry, *parse_client_name(request.name))
        return pb.GetClientResponse(client=self._message(found))

    async def FreezeClient(
        self, request: pb.FreezeClientRequest, context: ServicerContext[Any, Any]
    ) -> pb.FreezeClientResponse:
        """As the contract says."""
        peer, cause = parse_hub_client_name(request.name), parse_cause(request.cause)
        by = author(request, request.request_id)
        found, already = await clients.freeze(self._hub.registry, peer, cause, by)
        return pb.FreezeClientResponse(client=self._message(found), already_done=already)

    async def ListEvidence(
        self, request: pb.ListEvidenceRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListEvidenceResponse:
        """As the contract says."""
        peer = parse_hub_client_name(request.parent)
        found = await clients.evidence(self._hub.registry, peer)
        return pb.ListEvidenceResponse(evidence=[evidence_to_proto(peer, entry) for entry in found])

    async def RecoverClient(
        self, request: pb.RecoverClientRequest, context: ServicerContext[Any, Any]
    ) -> pb.RecoverClientResponse:
        """As the contract says."""
        peer, cause = parse_hub_client_name(request.name), parse_cause(request.cause)
        anchor, now = anchor_from_proto(request.anchor, "anchor"), self._hub.clock.now()
        by = author(request, request.request_id)
        registry = self._hub.registry
        if request.validate_only:
            found, already = await clients.check_recovery(registry, peer, anchor, now)
        else:
            found, already = await clients.recover(registry, peer, anchor, cause, by, now=now)
        return pb.RecoverClientResponse(client=self._message(found), already_done=already)

    async def GetEvidence(
        self, request: pb.GetEvidenceRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetEvidenceResponse:
        """As the contract says."""
        peer, number = parse_evidence_name(request.name)
        found, sides = await evidence.fetch(
            self._hub.registry, peer, number, request.start, decode_header
        )
        return evidence_bundle_to_proto(peer, found, sides)

    def _message(self, client: Client) -> client_pb2.Client:
        if isinstance(client, HubClient):
            return hub_client_to_proto(client, self._hub.clock.now())
        return chain_client_to_proto(client)
