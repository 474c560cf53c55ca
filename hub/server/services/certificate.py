"""CertificateService: see protos/ydhub/certificate/v1."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ydhub.certificate.v1 import certificate_service_pb2 as pb
from ydhub.certificate.v1.certificate_service_pb2_grpc import CertificateServiceServicer

from hub.exchange import enrolment
from hub.server.call import IDENTITY, author
from hub.wire.certificates import issued_to_proto, revocation_to_proto, subject_from_proto
from hub.wire.identity.shown import shown_certificate
from hub.wire.names import parse_peer_name
from hub.wire.page import Page
from hub.wire.requests import parse_cause
from hub.wire.times import duration_from_proto, timestamp_to_proto

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from hub.server.hub import Hub

TOKEN_BYTES = 32


class CertificateService(CertificateServiceServicer):
    """Invites peers to enrol, renews certificates, and revokes them."""

    def __init__(self, hub: Hub) -> None:
        """Over *hub*."""
        self._hub = hub

    async def InvitePeer(
        self, request: pb.InvitePeerRequest, context: ServicerContext[Any, Any]
    ) -> pb.InvitePeerResponse:
        """As the contract says."""
        peer, ttl = parse_peer_name(request.name), duration_from_proto(request.ttl, "ttl")
        token, by = secrets.token_urlsafe(TOKEN_BYTES), author(request, "")
        until = await self._hub.enrolment.invite(peer, token, ttl, by)
        return pb.InvitePeerResponse(token=token, expire_time=timestamp_to_proto(until))

    async def RenewCertificate(
        self, request: pb.RenewCertificateRequest, context: ServicerContext[Any, Any]
    ) -> pb.RenewCertificateResponse:
        """As the contract says."""
        [pem] = context.auth_context()["x509_pem_cert"]
        shown = shown_certificate(context, IDENTITY.get())
        now, by = self._hub.clock.now(), author(request, "")
        asked = request.certificate_request
        issued = await self._hub.enrolment.renew(shown, pem, asked, now, by)
        return pb.RenewCertificateResponse(certificate=issued_to_proto(issued))

    async def RevokeCertificate(
        self, request: pb.RevokeCertificateRequest, context: ServicerContext[Any, Any]
    ) -> pb.RevokeCertificateResponse:
        """As the contract says."""
        serial, identity = subject_from_proto(request, self._hub.trust_domain)
        cause, by = parse_cause(request.cause), author(request, request.request_id)
        found, already = await enrolment.revoke(self._hub.registry, serial, identity, cause, by)
        return pb.RevokeCertificateResponse(
            revocation=revocation_to_proto(found), already_done=already
        )

    async def ListRevocations(
        self, request: pb.ListRevocationsRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListRevocationsResponse:
        """As the contract says."""
        page = Page.parse("revocations", request.page_size, request.page_token)
        found, more = await enrolment.page(self._hub.registry, page.after_number(), page.size)
        token = page.token_after(str(found[-1].number)) if more else ""
        return pb.ListRevocationsResponse(
            revocations=[revocation_to_proto(one) for one in found], next_page_token=token
        )
