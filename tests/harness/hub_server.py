"""A hub server on the loopback, over a registry in memory, with mutual TLS."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from ydhub.certificate.v1.certificate_service_pb2_grpc import CertificateServiceStub
from ydhub.client.v1.client_service_pb2_grpc import ClientServiceStub
from ydhub.hub.v1.status_service_pb2_grpc import StatusServiceStub
from ydhub.hub.v1.watch_service_pb2_grpc import WatchServiceStub
from ydhub.lane.v1.lane_service_pb2_grpc import LaneServiceStub
from ydhub.packet.v1.packet_service_pb2_grpc import PacketServiceStub
from ydhub.peer.v1.peer_service_pb2_grpc import PeerServiceStub
from ydhub.relayer.v1.relayer_service_pb2_grpc import RelayerServiceStub

from hub.server.clock import SystemClock
from hub.server.enrolment import EnrolmentServer
from hub.server.hub import Hub
from hub.server.server import HubServer
from hub.wire.identity.credentials import listener_credentials
from hub.wire.status import RemoteError, from_rpc_error
from tests.harness.certificates import TRUST_DOMAIN, Certificates
from tests.harness.issuer import issuer_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

    from hub.ports.clock import Clock
    from hub.ports.registry import Registry

ADMIN = "/admins/li"
VERSION = "0.0.0-test"


@dataclass
class Served:
    """A hub server that runs."""

    server: HubServer
    certificates: Certificates
    port: int
    enrolment_port: int

    @property
    def enrolment(self) -> str:
        return f"127.0.0.1:{self.enrolment_port}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def channel(
        self, identity: str = ADMIN, *, trust_domain: str = TRUST_DOMAIN
    ) -> grpc.aio.Channel:
        """A channel that shows the identity at this path."""
        credentials = self.certificates.channel(identity, trust_domain=trust_domain)
        return grpc.aio.secure_channel(self.address, credentials)


class Stubs:
    """Every service of the hub, called by one identity."""

    def __init__(self, served: Served, identity: str = ADMIN) -> None:
        self.channel = served.channel(identity)
        self.peers = PeerServiceStub(self.channel)
        self.clients = ClientServiceStub(self.channel)
        self.certificates = CertificateServiceStub(self.channel)
        self.lanes = LaneServiceStub(self.channel)
        self.packets = PacketServiceStub(self.channel)
        self.relayers = RelayerServiceStub(self.channel)
        self.status = StatusServiceStub(self.channel)
        self.watches = WatchServiceStub(self.channel)

    async def __aenter__(self) -> Stubs:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.channel.close()


@asynccontextmanager
async def serve(
    registry: Registry,
    directory: Path,
    *,
    reflection: bool = False,
    clock: Clock | None = None,
    issues: bool = False,
) -> AsyncIterator[Served]:
    """A hub server over *registry*; its certificates are made in *directory*.

    Where it *issues* certificates, cities enrol beside it.
    """
    certificates = Certificates.make(directory)
    hub = Hub(
        registry=registry,
        clock=clock or SystemClock(),
        trust_domain=TRUST_DOMAIN,
        version=VERSION,
        issuer=issuer_of(certificates) if issues else None,
    )
    server = HubServer(hub, reflection=reflection)
    port = await server.start("127.0.0.1:0", certificates.server())
    enrolment = EnrolmentServer(hub)
    cert_file, key_file, _ = certificates.files("/hub", serves=True)
    credentials = listener_credentials(cert_file, key_file)
    enrolment_port = await enrolment.start("127.0.0.1:0", credentials)
    try:
        yield Served(server, certificates, port, enrolment_port)
    finally:
        await enrolment.stop(0)
        await server.stop(notice_s=0, drain_s=0)


async def failure(call: Awaitable[object]) -> RemoteError:
    """What the failed *call* told."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    raise AssertionError("the call succeeded")
