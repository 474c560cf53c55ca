"""A relayer that does only what a test says: a real server with mTLS, and no mind of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
from grpc_status import rpc_status
from ydhub.relay.v1 import relay_pb2 as pb
from ydhub.relay.v1 import relay_service_pb2_grpc as service

from hub.wire.identity.spiffe import caller
from hub.wire.status import to_status
from tests.harness.certificates import TRUST_DOMAIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from hub.core.errors import HubError
    from tests.harness.certificates import Certificates

WITHIN_S = 10
"""A test that waits longer for a frame has failed."""


class RelayedSession:
    """One attached adapter, as the relayer sees it."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.frames: asyncio.Queue[pb.AdapterFrame | None] = asyncio.Queue()
        self.outbound: asyncio.Queue[pb.RelayerFrame | HubError | None] = asyncio.Queue()

    async def next(self) -> pb.AdapterFrame:
        """The adapter's next frame, heartbeats left out."""
        while True:
            async with asyncio.timeout(WITHIN_S):
                frame = await self.frames.get()
            assert frame is not None, "the adapter has gone"
            if frame.WhichOneof("body") != "heartbeat":
                return frame

    async def heartbeat(self) -> pb.AdapterFrame:
        """The adapter's next frame, which is a heartbeat."""
        async with asyncio.timeout(WITHIN_S):
            frame = await self.frames.get()
        assert frame is not None
        assert frame.WhichOneof("body") == "heartbeat"
        return frame

    async def expect(self, kind: str) -> pb.AdapterFrame:
        """The adapter's next frame, which is of that kind."""
        frame = await self.next()
        assert frame.WhichOneof("body") == kind, frame
        return frame

    async def gone(self) -> None:
        """The adapter has ended the stream."""
        async with asyncio.timeout(WITHIN_S):
            while await self.frames.get() is not None:
                pass

    def say(self, **body: Any) -> None:
        """A frame with that body goes to the adapter."""
        self.outbound.put_nowait(pb.RelayerFrame(**body))

    def welcome(self, cursors: Iterable[pb.LaneCursor] = (), **fields: int) -> None:
        """The adapter is welcomed; by default the hub client stands at height 1."""
        values = {"client_height": 1, "anchor_height": 1, "item_credits": 8192, **fields}
        welcome = pb.Welcome(protocol_version=1, relayer="scripted", cursors=cursors, **values)
        self.say(welcome=welcome)

    def accept(self, frame: pb.AdapterFrame, sequences: Iterable[tuple[int, int]] = ()) -> None:
        """The verdict on *frame*: these ranges, both ends included, are accepted."""
        accepted = [pb.SequenceRange(first=first, last=last) for first, last in sequences]
        self.say(verdict=pb.Verdict(frame_id=frame.frame_id, accepted=accepted))

    def refuse(
        self, frame: pb.AdapterFrame, reason: str, *, sequence: int = 0, retryable: bool = True
    ) -> None:
        """The verdict on *frame*: an item, or all of it, is refused."""
        refusal = pb.Refusal(
            sequence=sequence, reason=reason, detail="scripted", retryable=retryable
        )
        self.say(verdict=pb.Verdict(frame_id=frame.frame_id, refused=[refusal]))

    def end(self, error: HubError | None = None) -> None:
        """The stream ends, with *error* if it is given."""
        self.outbound.put_nowait(error)


class ScriptedRelayer(service.RelayServiceServicer):
    """Takes every adapter that dials."""

    def __init__(self) -> None:
        self.sessions: asyncio.Queue[RelayedSession] = asyncio.Queue()
        self.port = 0
        self.is_deaf = False
        """Frames after the hello are not read: the connection takes nothing more."""
        self._server: grpc.aio.Server | None = None

    async def start(self, certificates: Certificates, port: int = 0) -> str:
        """It serves; its address."""
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        service.add_RelayServiceServicer_to_server(self, self._server)
        credentials = certificates.server("/relayers/scripted")
        self.port = self._server.add_secure_port(f"127.0.0.1:{port}", credentials)
        await self._server.start()
        return f"127.0.0.1:{self.port}"

    async def stop(self) -> None:
        assert self._server is not None
        await self._server.stop(None)

    async def attached(self) -> RelayedSession:
        """The next adapter that dials, once it has said hello."""
        async with asyncio.timeout(WITHIN_S):
            return await self.sessions.get()

    async def Attach(  # type: ignore[override]  # noqa: N802 - grpc.aio's other form
        self,
        request_iterator: AsyncIterator[pb.AdapterFrame],
        context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame],
    ) -> None:
        session = RelayedSession(caller(context, TRUST_DOMAIN).name)
        reader = asyncio.ensure_future(self._read(session, request_iterator))
        self.sessions.put_nowait(session)
        try:
            while isinstance(frame := await session.outbound.get(), pb.RelayerFrame):
                await context.write(frame)
        finally:
            reader.cancel()
        if frame is not None:
            await context.abort_with_status(rpc_status.to_status(to_status(frame, "scripted")))

    async def _read(self, session: RelayedSession, frames: AsyncIterator[pb.AdapterFrame]) -> None:
        try:
            async for frame in frames:
                session.frames.put_nowait(frame)
                if self.is_deaf:
                    await asyncio.get_running_loop().create_future()
        finally:
            session.frames.put_nowait(None)
