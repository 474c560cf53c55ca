"""The listener where cities enrol: the hub alone shows a certificate, and one service answers.

It is a server of its own, so that nothing else can ever be called without a certificate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
import structlog
from ydhub.certificate.v1.enrolment_service_pb2_grpc import add_EnrolmentServiceServicer_to_server

from hub.core.errors import FieldInvalid
from hub.server.interceptors.arrivals import Arrivals
from hub.server.interceptors.deadlines import Deadlines
from hub.server.interceptors.errors import Errors
from hub.server.interceptors.rates import Rates
from hub.server.interceptors.request_ids import RequestIds
from hub.server.services.enrolment import EnrolmentService
from hub.wire import listening

if TYPE_CHECKING:
    from hub.server.hub import Hub

MAX_RPCS: Final = 16
MAX_CALLS: Final = 4
"""Of one host."""

_log = structlog.get_logger()


class EnrolmentServer:
    """The listener of one hub."""

    def __init__(self, hub: Hub) -> None:
        """Joined, not started."""
        self._server = grpc.aio.server(
            interceptors=[
                Arrivals(MAX_CALLS),
                RequestIds(hub.clock),
                Errors(),
                Rates(hub.clock),
                Deadlines(),
            ],
            options=listening.ENROLMENT,
            maximum_concurrent_rpcs=MAX_RPCS,
        )
        add_EnrolmentServiceServicer_to_server(EnrolmentService(hub), self._server)

    async def start(self, listen: str, credentials: grpc.ServerCredentials) -> int:
        """Cities can dial *listen*, host:port; the port. Raises ``FieldInvalid``."""
        try:
            port = self._server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            problem = f"{listen} cannot be bound"
            raise FieldInvalid(field="enrolment_listen", problem=problem) from error
        await self._server.start()
        _log.info("enrolment_started", listen=listen, port=port)
        return port

    async def stop(self, drain_s: int) -> None:
        """No call is taken, those under way have *drain_s* to end."""
        await self._server.stop(drain_s)
