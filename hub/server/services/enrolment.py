"""EnrolmentService: see protos/ydhub/certificate/v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ydhub.certificate.v1 import enrolment_service_pb2 as pb
from ydhub.certificate.v1.enrolment_service_pb2_grpc import EnrolmentServiceServicer

from hub.wire.certificates import issued_to_proto
from hub.wire.identity.spiffe import peer_identity

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from hub.core.ids import PeerId
    from hub.server.hub import Hub


class EnrolmentService(EnrolmentServiceServicer):
    """Gives a city its adapter's first certificate."""

    def __init__(self, hub: Hub) -> None:
        """Over *hub*."""
        self._hub = hub

    async def Enrol(
        self, request: pb.EnrolRequest, context: ServicerContext[Any, Any]
    ) -> pb.EnrolResponse:
        """As the contract says."""
        issued = await self._hub.enrolment.enrol(
            request.token, request.certificate_request, self._hub.clock.now(), self._identity
        )
        return pb.EnrolResponse(certificate=issued_to_proto(issued))

    def _identity(self, peer: PeerId) -> str:
        return str(peer_identity(self._hub.trust_domain, peer))
