"""The gRPC service that adapters dial: who they are, their hello, their stream.

Source: design section 5; reliability notes section 9 (limits of the listener).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import grpc
import structlog
from grpc_status import rpc_status
from ydhub.relay.v1 import relay_pb2 as pb
from ydhub.relay.v1 import relay_service_pb2_grpc as service

from hub.core.errors import (
    AdapterOffline,
    ChainIdMismatch,
    FrameInvalid,
    HubError,
    LeaseLost,
    PeerSuspended,
    ProtocolUnsupported,
    ShuttingDown,
)
from hub.core.peer import PeerState
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire.identity.spiffe import caller
from hub.wire.status import to_status
from relayer.owner import LEASE, PeerOwner
from relayer.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.core.ids import PeerId
    from hub.ports.leases import Fence
    from relayer.switchboard import Switchboard
    from relayer.telemetry import Telemetry

_log = structlog.get_logger()

PROTOCOL_VERSIONS: Final = frozenset({1})
HELLO_WITHIN_S: Final = 5
LEASE_RETRY: Final = Duration(200 * MILLISECOND)
LEASE_WITHIN: Final = Duration(7 * SECOND)
"""How long a session waits for another process's lease to end."""

CHANNEL_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 2 * 1024 * 1024),
    ("grpc.max_send_message_length", 2 * 1024 * 1024),
    ("grpc.max_metadata_size", 4096),
    ("grpc.absolute_max_metadata_size", 8192),
    ("grpc.max_concurrent_streams", 64),
    ("grpc.server_handshake_timeout_ms", 5000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
    ("grpc.http2.max_ping_strikes", 2),
    ("grpc.so_reuseport", 0),
)


class RelayGateway(service.RelayServiceServicer):
    """Sessions of adapters, one for each peer."""

    def __init__(self, board: Switchboard, telemetry: Telemetry, trust_domain: str) -> None:
        """A gateway without sessions."""
        self.owners: dict[PeerId, PeerOwner] = {}
        self._board = board
        self._telemetry = telemetry
        self._trust_domain = trust_domain
        self._locks: dict[PeerId, asyncio.Lock] = {}
        self._draining = False

    async def Attach(  # type: ignore[override]  # grpc.aio's other form: writes, yields nothing
        self,
        request_iterator: AsyncIterator[pb.AdapterFrame],
        context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame],
    ) -> None:
        """One adapter's session, from its hello to its end."""
        try:
            await self._attach(request_iterator, context)
        except HubError as error:
            _log.info("session_ended", reason=error.reason, detail=str(error))
            status = rpc_status.to_status(to_status(error, uuid4().hex))
            await context.abort_with_status(status)

    def drain(self) -> None:
        """Every adapter is told to dial another relayer; no session begins any more."""
        self._draining = True
        for owner in self.owners.values():
            owner.session.send(pb.RelayerFrame(drain=pb.Drain()))

    async def stop(self) -> None:
        """Every session has ended and every lease is given back."""
        self._draining = True
        for owner in list(self.owners.values()):
            owner.session.end(ShuttingDown())
        for lock in self._locks.values():
            async with lock:  # held by a session until it has closed
                pass

    async def _attach(
        self,
        frames: AsyncIterator[pb.AdapterFrame],
        context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame],
    ) -> None:
        if self._draining:
            raise ShuttingDown
        peer = caller(context, self._trust_domain).peer()
        hello = await _hello(frames)
        await self._check(peer, hello)
        session = Session(peer, hello, self._board.clock)
        before = self.owners.get(peer)
        if before is not None:
            before.session.end(AdapterOffline(peer=peer))
        async with self._locks.setdefault(peer, asyncio.Lock()):
            fence = await self._lease(peer)
            owner = PeerOwner(self._board, session, fence, self._telemetry)
            self.owners[peer] = owner
            self._telemetry.sessions.set(len(self.owners))
            _log.info("session_begins", peer=peer, adapter=hello.adapter, epoch=fence.epoch)
            try:
                await self._serve(owner, frames, context)
            finally:
                await asyncio.shield(self._close(owner))
        raise session.end_cause

    async def _close(self, owner: PeerOwner) -> None:
        try:
            await owner.stop()
        except HubError as error:
            _log.warning("close_failed", peer=owner.peer, reason=error.reason)
        finally:
            del self.owners[owner.peer]
            self._telemetry.sessions.set(len(self.owners))

    async def _check(self, peer: PeerId, hello: pb.Hello) -> None:
        if not PROTOCOL_VERSIONS.intersection(hello.protocol_versions):
            raise ProtocolUnsupported(
                offered=str(list(hello.protocol_versions)[:8]), supported=str(PROTOCOL_VERSIONS)
            )
        found = await self._board.registry.peers.get(peer)
        if found.state is not PeerState.ACTIVE:
            raise PeerSuspended(peer=found.name)
        if hello.chain_id != found.anchor.chain_id:
            raise ChainIdMismatch(got=hello.chain_id[:64], expected=found.anchor.chain_id)

    async def _lease(self, peer: PeerId) -> Fence:
        """The peer's lease, waited for where another process holds it. Raises ``LeaseLost``."""
        clock = self._board.clock
        deadline = clock.monotonic() + LEASE_WITHIN
        while True:
            fence = await self._board.registry.leases.acquire(peer, self._board.name, LEASE)
            if fence is not None:
                return fence
            if clock.monotonic() >= deadline:
                raise LeaseLost(peer=peer, epoch=0)
            await clock.sleep(LEASE_RETRY)

    async def _serve(
        self,
        owner: PeerOwner,
        frames: AsyncIterator[pb.AdapterFrame],
        context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame],
    ) -> None:
        session = owner.session
        await owner.start()
        reader = asyncio.ensure_future(_read(session, frames))
        ended = asyncio.ensure_future(session.ended.wait())
        try:
            while not session.ended.is_set():
                frame = asyncio.ensure_future(session.outbound.get())
                await asyncio.wait([frame, ended], return_when=asyncio.FIRST_COMPLETED)
                if frame.done():
                    await context.write(frame.result())
                else:
                    frame.cancel()
        finally:
            reader.cancel()
            ended.cancel()


async def _hello(frames: AsyncIterator[pb.AdapterFrame]) -> pb.Hello:
    try:
        async with asyncio.timeout(HELLO_WITHIN_S):
            first = await anext(aiter(frames))
    except (TimeoutError, StopAsyncIteration) as error:
        raise FrameInvalid(frame="hello", problem="did not come first") from error
    if first.WhichOneof("body") != "hello":
        raise FrameInvalid(frame=str(first.WhichOneof("body")), problem="came before the hello")
    return first.hello


async def _read(session: Session, frames: AsyncIterator[pb.AdapterFrame]) -> None:
    """Frames go to the session until either ends."""
    try:
        async for frame in frames:
            session.receive(frame)
    except HubError as error:
        session.end(error)
    except (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.CancelledError):
        session.end(AdapterOffline(peer=session.peer))
    else:
        session.end(AdapterOffline(peer=session.peer))
