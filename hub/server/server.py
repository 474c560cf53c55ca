"""The gRPC server of the hub: services, interceptors, limits, health, and an orderly end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ydhub.certificate.v1 import certificate_service_pb2, certificate_service_pb2_grpc
from ydhub.client.v1 import client_service_pb2, client_service_pb2_grpc
from ydhub.hub.v1 import (
    status_service_pb2,
    status_service_pb2_grpc,
    watch_service_pb2,
    watch_service_pb2_grpc,
)
from ydhub.lane.v1 import lane_service_pb2, lane_service_pb2_grpc
from ydhub.packet.v1 import packet_service_pb2, packet_service_pb2_grpc
from ydhub.peer.v1 import peer_service_pb2, peer_service_pb2_grpc
from ydhub.relayer.v1 import relayer_service_pb2, relayer_service_pb2_grpc

from hub.core.errors import FieldInvalid
from hub.exchange.revocations import Revocations
from hub.server.authority import check_table
from hub.server.health import Health
from hub.server.interceptors import all_of
from hub.server.limits import MAX_CONCURRENT_RPCS
from hub.server.reflection import enable_reflection
from hub.server.services.certificate import CertificateService
from hub.server.services.client import ClientService
from hub.server.services.lane import LaneService
from hub.server.services.packet import PacketService
from hub.server.services.peer import PeerService
from hub.server.services.relayer import RelayerService
from hub.server.services.status import StatusService
from hub.server.services.watch import WatchService
from hub.wire import listening

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor

    from hub.server.hub import Hub

_HEALTH: Final[Any] = health_pb2.DESCRIPTOR.services_by_name["Health"]
SERVICES: Final[tuple[ServiceDescriptor, ...]] = (
    peer_service_pb2.DESCRIPTOR.services_by_name["PeerService"],
    client_service_pb2.DESCRIPTOR.services_by_name["ClientService"],
    lane_service_pb2.DESCRIPTOR.services_by_name["LaneService"],
    packet_service_pb2.DESCRIPTOR.services_by_name["PacketService"],
    relayer_service_pb2.DESCRIPTOR.services_by_name["RelayerService"],
    status_service_pb2.DESCRIPTOR.services_by_name["StatusService"],
    watch_service_pb2.DESCRIPTOR.services_by_name["WatchService"],
    certificate_service_pb2.DESCRIPTOR.services_by_name["CertificateService"],
    _HEALTH,
)
"""Every service that the hub server answers."""

_log = structlog.get_logger()


class HubServer:
    """One hub server over one registry."""

    def __init__(self, hub: Hub, *, reflection: bool) -> None:
        """Joined, not started. Raises ``LookupError`` for a method without a row of authority."""
        check_table(SERVICES)
        names = [service.full_name for service in SERVICES]
        self.health = Health(hub, names)
        self._hub = hub
        self._revocations = Revocations(hub.registry, hub.clock)
        self._server = grpc.aio.server(
            interceptors=all_of(hub, self._revocations),
            options=listening.CONTROL,
            maximum_concurrent_rpcs=MAX_CONCURRENT_RPCS,
        )
        self._background: list[asyncio.Task[None]] = []
        server = self._server
        peer_service_pb2_grpc.add_PeerServiceServicer_to_server(PeerService(hub), server)
        client_service_pb2_grpc.add_ClientServiceServicer_to_server(ClientService(hub), server)
        lane_service_pb2_grpc.add_LaneServiceServicer_to_server(LaneService(hub), server)
        packet_service_pb2_grpc.add_PacketServiceServicer_to_server(PacketService(hub), server)
        relayer_service_pb2_grpc.add_RelayerServiceServicer_to_server(RelayerService(hub), server)
        status_service_pb2_grpc.add_StatusServiceServicer_to_server(StatusService(hub), server)
        watch_service_pb2_grpc.add_WatchServiceServicer_to_server(WatchService(hub), server)
        certificate_service_pb2_grpc.add_CertificateServiceServicer_to_server(
            CertificateService(hub), server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)
        if reflection:
            enable_reflection(server, names)

    async def start(self, listen: str, credentials: grpc.ServerCredentials) -> int:
        """Callers can dial *listen*, host:port; the port.

        Raises ``FieldInvalid``, ``RegistryUnreachable``.
        """
        try:
            port = self._server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise FieldInvalid(field="listen", problem=f"{listen} cannot be bound") from error
        await self._revocations.refresh()
        await self._server.start()
        await self.health.ask_registry()
        loop = asyncio.get_running_loop()
        self._background = [
            loop.create_task(self.health.watch_registry()),
            loop.create_task(self._revocations.run()),
        ]
        _log.info("server_started", listen=listen, port=port)
        return port

    async def stop(self, *, notice_s: int, drain_s: int) -> None:
        """Health says no, then no call is taken, then those under way have *drain_s* to end."""
        _log.info("server_drains", notice_s=notice_s, drain_s=drain_s)
        await self.health.drain()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await asyncio.sleep(notice_s)
        await self._server.stop(drain_s)
        _log.info("server_stopped")
