"""The gRPC service that the adapter under exam dials: mutual TLS, one stream a session.

Source: protos/ydhub/relay/v1/relay_service.proto.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status
from ydhub.relay.v1 import relay_pb2 as pb
from ydhub.relay.v1 import relay_service_pb2_grpc as service

from adapters.conformance.session import Session
from adapters.conformance.watch import FRAMES
from hub.core.errors import AdapterOffline, FieldInvalid, HubError
from hub.wire import listening
from hub.wire.identity.spiffe import caller
from hub.wire.status import to_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import TypeAlias

    from adapters.conformance.watch import Watch
    from adapters.sdk.clock import Clock

    Frames: TypeAlias = AsyncIterator[pb.AdapterFrame]
    Context: TypeAlias = grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame]


class Relay(service.RelayServiceServicer):
    """Takes whoever dials with a certificate of the same authority."""

    def __init__(self, trust_domain: str, watch: Watch, clock: Clock) -> None:
        """Nobody has dialled."""
        self.arrived: list[Session] = []
        """Streams whose first frame has come and that nobody has taken yet."""
        self._trust_domain = trust_domain
        self._watch = watch
        self._clock = clock
        self._server = grpc.aio.server(options=listening.SESSIONS)
        service.add_RelayServiceServicer_to_server(self, self._server)

    async def start(self, listen: str, credentials: grpc.ServerCredentials) -> int:
        """The port that is dialled. Raises ``FieldInvalid``."""
        try:
            port = self._server.add_secure_port(listen, credentials)
        except RuntimeError as error:
            raise FieldInvalid(field="listen", problem=f"cannot be bound: {listen}") from error
        await self._server.start()
        return port

    async def stop(self) -> None:
        """Every stream has ended."""
        await self._server.stop(None)

    async def Attach(  # type: ignore[override]  # grpc.aio's other form: writes, yields nothing
        self, request_iterator: Frames, context: Context
    ) -> None:
        """One stream of the adapter, from its first frame to its end."""
        try:
            identity = caller(context, self._trust_domain)
        except HubError as error:
            await self._abort(context, error)
            return
        session = Session(str(identity), self._watch, self._clock)
        reader = asyncio.ensure_future(self._read(session, request_iterator))
        try:
            end = await self._write(session, context)
        finally:
            reader.cancel()
            session.over()
        if end is not None:
            await self._abort(context, end)

    async def _read(self, session: Session, frames: Frames) -> None:
        """Frames go to the session until the adapter has none any more."""
        try:
            async for frame in frames:
                is_first = session.first is None
                session.receive(frame)
                if is_first:
                    self.arrived.append(session)
                    self._watch.tell()
        except DecodeError:
            self._watch.hold(FRAMES, False, "frames that are protobuf", "other bytes")
        except (grpc.aio.AioRpcError, grpc.aio.UsageError, grpc.aio.InternalError):
            pass  # the other side has gone
        finally:
            session.end(AdapterOffline(peer=session.identity))

    async def _write(self, session: Session, context: Context) -> HubError | None:
        """Frames go to the adapter; why the stream shall end."""
        while True:
            said = await session.outbound.get()
            if not isinstance(said, pb.RelayerFrame):
                return said
            try:
                await context.write(said)
            except (grpc.aio.AioRpcError, grpc.aio.UsageError, grpc.aio.InternalError):
                return None

    async def _abort(self, context: Context, error: HubError) -> None:
        status = rpc_status.to_status(to_status(error, uuid4().hex))
        await context.abort_with_status(status)
