"""Calls to the hub, and to an embedded chain: one channel, one way of failing."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

# What gRPC's core has to say goes to nobody: failures are told by us.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc
from ydhub.certificate.v1.certificate_service_pb2_grpc import CertificateServiceStub
from ydhub.client.v1.client_service_pb2_grpc import ClientServiceStub
from ydhub.hub.v1.status_service_pb2_grpc import StatusServiceStub
from ydhub.hub.v1.watch_service_pb2_grpc import WatchServiceStub
from ydhub.lane.v1.lane_service_pb2_grpc import LaneServiceStub
from ydhub.packet.v1.packet_service_pb2_grpc import PacketServiceStub
from ydhub.peer.v1.peer_service_pb2_grpc import PeerServiceStub
from ydhub.relayer.v1.relayer_service_pb2_grpc import RelayerServiceStub
from ydhub.simchain.v1.simchain_service_pb2_grpc import SimchainServiceStub

from hub.cli.clock import wall_clock
from hub.core.time import SECOND
from hub.wire.identity.certificate_file import read_certificate
from hub.wire.identity.credentials import channel_credentials
from hub.wire.status import from_rpc_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from hub.cli.settings import Settings

T = TypeVar("T")

PAGE_SIZE = 500

_OPTIONS = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
)


class Connection:
    """The services at one address."""

    def __init__(self, channel: grpc.aio.Channel, timeout_s: float) -> None:
        """Over *channel*; each call may take *timeout_s*."""
        self._timeout_s = timeout_s
        self.peers = PeerServiceStub(channel)
        self.clients = ClientServiceStub(channel)
        self.certificates = CertificateServiceStub(channel)
        self.lanes = LaneServiceStub(channel)
        self.packets = PacketServiceStub(channel)
        self.relayers = RelayerServiceStub(channel)
        self.status = StatusServiceStub(channel)
        self.watches = WatchServiceStub(channel)
        self.simchain = SimchainServiceStub(channel)

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Any, T],
        request: Message,
        *,
        timeout_s: float = 0,
    ) -> T:
        """The answer; in *timeout_s* seconds where that is longer. Raises ``RemoteError``."""
        try:
            return await method(request, timeout=max(timeout_s, self._timeout_s))
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None

    async def all(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Any, T], request: Any, *, limit: int = 0
    ) -> AsyncIterator[T]:
        """Every page of a list, or enough of them for *limit* entries. Raises ``RemoteError``."""
        request.page_size = min(limit, PAGE_SIZE) if limit else PAGE_SIZE
        while True:
            page: Any = await self.call(method, request)
            yield page
            request.page_token = page.next_page_token
            if not request.page_token:
                return


@asynccontextmanager
async def connect(settings: Settings, address: str = "") -> AsyncIterator[Connection]:
    """A connection to the hub, or to another *address*.

    Raises ``FieldInvalid`` or ``CertificateExpired``.
    """
    read_certificate(settings.cert_file).check(wall_clock())
    credentials = channel_credentials(settings.cert_file, settings.key_file, settings.ca_file)
    target = address or settings.server
    async with grpc.aio.secure_channel(target, credentials, options=_OPTIONS) as channel:
        yield Connection(channel, settings.timeout / SECOND)
