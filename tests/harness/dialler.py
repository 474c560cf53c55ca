"""A relayer's gateway that adapters dial over mTLS, and callers that write frames by hand."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from ydhub.relay.v1 import relay_pb2 as pb
from ydhub.relay.v1 import relay_service_pb2_grpc as service

from adapters.sdk.ending import Ending
from hub.wire import listening
from hub.wire.status import RemoteError, from_rpc_error
from relayer.gateway import RelayGateway
from tests.harness.certificates import TRUST_DOMAIN, Certificates
from tests.harness.clock import WITHIN_S, until
from tests.harness.exchange import HANGZHOU

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.station import Station

_METHOD = "/ydhub.relay.v1.RelayService/Attach"


class Dialler:
    """One stream, by hand."""

    def __init__(self, channel: grpc.aio.Channel, *, raw: bool = False) -> None:
        method: Any = (
            channel.stream_stream(_METHOD) if raw else service.RelayServiceStub(channel).Attach
        )
        self.call: Any = method()
        self._ending = Ending(self.call)
        self.last_id = 0

    async def say(self, **body: Any) -> None:
        """The next frame has that body; after the stream's end nobody hears it."""
        self.last_id += 1
        with suppress(grpc.aio.AioRpcError):
            await self.call.write(pb.AdapterFrame(frame_id=self.last_id, **body))

    async def hello(self, **changes: Any) -> None:
        values = {"protocol_versions": [1], "chain_id": "hangzhou-1", "execution_credits": 4}
        await self.say(hello=pb.Hello(**{**values, **changes}))

    async def next(self, kind: str = "") -> pb.RelayerFrame:
        """The relayer's next frame, or its next one of that kind."""
        while True:
            async with asyncio.timeout(WITHIN_S):
                frame = await self.call.read()
            assert isinstance(frame, pb.RelayerFrame), await self.end()
            if kind in {"", frame.WhichOneof("body")}:
                return frame

    async def end(self) -> RemoteError:
        """Why the relayer ended the stream; frames before it are dropped."""
        async with asyncio.timeout(WITHIN_S):
            with suppress(grpc.aio.AioRpcError):
                while isinstance(await self.call.read(), pb.RelayerFrame):
                    pass
            return from_rpc_error(await self._ending.status())


@dataclass
class Dialled:
    """A gateway that can be dialled."""

    station: Station
    gateway: RelayGateway
    certificates: Certificates
    port: int
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    def dial(
        self, path: str = "/peers/hangzhou", *, trust_domain: str = TRUST_DOMAIN, raw: bool = False
    ) -> Dialler:
        """A new stream of the identity at *path*."""
        credentials = self.certificates.channel(path, trust_domain=trust_domain)
        channel = grpc.aio.secure_channel(
            f"127.0.0.1:{self.port}", credentials, (("grpc.use_local_subchannel_pool", 1),)
        )
        self.channels.append(channel)
        return Dialler(channel, raw=raw)

    async def attached(self) -> Dialler:
        """A stream of Hangzhou's adapter that was welcomed."""
        dialler = self.dial()
        await dialler.hello()
        await dialler.next("welcome")
        session = self.gateway._newest[HANGZHOU]
        await until(lambda: [o for o in self.gateway.owners.values() if o.session is session])
        return dialler


@asynccontextmanager
async def dialled(station: Station, directory: Path) -> AsyncIterator[Dialled]:
    """A gateway over *station*'s board; nobody has dialled."""
    certificates = Certificates.make(directory)
    gateway = RelayGateway(station.board, station.telemetry, TRUST_DOMAIN)
    server = grpc.aio.server(options=listening.SESSIONS)
    service.add_RelayServiceServicer_to_server(gateway, server)
    port = server.add_secure_port("127.0.0.1:0", certificates.server("/relayers/east-1"))
    await server.start()
    found = Dialled(station, gateway, certificates, port)
    try:
        yield found
    finally:
        await gateway.stop()
        for channel in found.channels:
            await channel.close()
        await server.stop(None)
