"""The gRPC service that adapters dial: who they are, their hello, their stream.

Source: design section 5; reliability notes section 9 (limits of the listener).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final, NoReturn
from uuid import uuid4

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status
from ydhub.relay.v1 import relay_pb2 as pb
from ydhub.relay.v1 import relay_service_pb2_grpc as service

from hub.core.errors import (
    AdapterOffline,
    AnswerOverdue,
    ChainIdMismatch,
    FrameInvalid,
    HubError,
    LeaseLost,
    PeerSuspended,
    ProtocolUnsupported,
    RateLimited,
    ShuttingDown,
)
from hub.core.peer import PeerState
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.exchange.revocations import Revocations
from hub.wire.status import to_status
from relayer.callers import Callers
from relayer.deadline import within
from relayer.owner import PeerOwner
from relayer.session import Session
from relayer.switchboard import LEASE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence

    from hub.core.ids import PeerId
    from hub.core.relayer import Relayer
    from hub.ports.clock import Clock
    from hub.ports.leases import Fence
    from relayer.switchboard import Switchboard
    from relayer.telemetry import Telemetry

_log = structlog.get_logger()

PROTOCOL_VERSIONS: Final = frozenset({1})
MAX_NAME: Final = 128
"""Characters of an adapter's own name that are logged."""
MAX_STREAMS: Final = 16
"""Of one peer, those among them that have ended and whose end it does not read."""
HELLO_WITHIN: Final = Duration(5 * SECOND)
LEAVES_WITHIN: Final = Duration(12 * SECOND)
"""An adapter that drains takes at most ten."""
LAST_WRITE_WITHIN: Final = Duration(SECOND)
LEASE_RETRY: Final = Duration(200 * MILLISECOND)
LEASE_WITHIN: Final = Duration(7 * SECOND)
"""How long a session waits for another process's lease to end."""

_BROKEN: Final = (grpc.aio.AioRpcError, grpc.aio.UsageError, grpc.aio.InternalError)
"""What a stream raises whose other side is gone."""


class _Unread(Exception):
    """An adapter takes no frames, so not even why its session has ended."""


class RelayGateway(service.RelayServiceServicer):
    """Sessions of adapters, one for each peer."""

    def __init__(self, board: Switchboard, telemetry: Telemetry, trust_domain: str) -> None:
        """A gateway without sessions."""
        self.owners: dict[PeerId, PeerOwner] = {}
        """Those whose adapter is welcomed."""
        self._board = board
        self._telemetry = telemetry
        self.revocations = Revocations(board.registry, board.clock)
        self._callers = Callers(self.revocations, trust_domain)
        self._newest: dict[PeerId, Session] = {}
        """By peer the session that dialled last, welcomed or waiting."""
        self._locks: dict[PeerId, asyncio.Lock] = {}
        self._streams: Counter[PeerId] = Counter()
        self._is_empty = asyncio.Event()
        self._is_empty.set()
        self._leaving: dict[Session, asyncio.Task[None]] = {}
        """Sessions that are told to go, each with what sees to it."""
        self._draining = False
        self._stopping = False

    async def Attach(  # type: ignore[override]  # grpc.aio's other form: writes, yields nothing
        self,
        request_iterator: AsyncIterator[pb.AdapterFrame],
        context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame],
    ) -> None:
        """One adapter's session, from its hello to its end."""
        try:
            peer = self._callers.admit(context)
        except HubError as error:
            await _end(context, error)
        self._streams[peer] += 1
        try:
            cause = await self._session(peer, request_iterator, context)
            if isinstance(cause, LeaseLost):
                self._telemetry.lease_lost(peer)
            await _end(context, cause)
        except _Unread:
            _log.warning("stream_unread", peer=peer)
            # No status gets past the frame; it counts as the peer's until the adapter goes.
            await asyncio.Event().wait()
        finally:
            self._streams[peer] -= 1
            if not self._streams[peer]:
                del self._streams[peer]

    async def drain(self, limit: Duration, others: Sequence[Relayer] = ()) -> None:
        """Every adapter is told to dial another relayer; no session begins any more.

        *others* take them in turn. Returns when all have gone, or *limit* (ns) later.
        """
        self._stopping = True
        self.take_sessions(False, others)
        try:
            await within(self._board.clock, limit, "drain", self._is_empty.wait())
        except AnswerOverdue:
            _log.warning("drain_overdue", sessions=len(self._newest))

    def take_sessions(self, takes: bool, others: Sequence[Relayer]) -> None:  # noqa: FBT001
        """Whether sessions begin and stay here; if not, all go to *others* in turn."""
        self._draining = self._stopping or not takes
        if not self._draining:
            return
        for at, peer in enumerate(list(self._newest)):
            self.hand_over(peer, others[at % len(others)].address if others else "")

    def hand_over(self, peer: PeerId, prefer: str) -> None:
        """*peer*'s adapter finishes what is in flight and dials *prefer*, host:port, if it can.

        One that does not go in time is sent away.
        """
        session = self._newest.get(peer)
        if session is None or session in self._leaving:
            return
        session.drain(prefer)
        self._leaving[session] = asyncio.ensure_future(self._see_off(session))

    async def _see_off(self, session: Session) -> None:
        try:
            await within(self._board.clock, LEAVES_WITHIN, "drain", session.ended.wait())
        except AnswerOverdue:
            session.end(ShuttingDown())
        finally:
            del self._leaving[session]

    def end_sessions(self, cause: HubError) -> None:
        """Every session ends because of *cause*; its adapter may dial again."""
        for session in list(self._newest.values()):
            session.end(cause)

    async def stop(self) -> None:
        """Every session has ended and every lease is given back."""
        self._stopping = self._draining = True
        for session in self._newest.values():
            session.end(ShuttingDown())
        for lock in list(self._locks.values()):
            async with lock:  # held by a session until it has closed
                pass

    async def _session(
        self,
        peer: PeerId,
        frames: AsyncIterator[pb.AdapterFrame],
        context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame],
    ) -> Exception:
        """Why the session of *peer*, which is over, has ended."""
        try:
            return await self._attach(peer, frames, context)
        except HubError as error:
            return error
        except _Unread:
            raise
        except Exception as error:  # noqa: BLE001 - a bug ends one session; its text stays here
            _log.exception("session_failed", peer=peer)
            return error

    async def _attach(
        self,
        peer: PeerId,
        frames: AsyncIterator[pb.AdapterFrame],
        context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame],
    ) -> HubError:
        if self._draining:
            raise ShuttingDown
        if self._streams[peer] > MAX_STREAMS:
            what = f"{MAX_STREAMS} streams of peers/{peer}"
            raise RateLimited(what=what, wait_ms=SECOND // MILLISECOND)
        first = await self._hello(frames)
        await self._check(peer, first.hello)
        session = Session(peer, first, self._board.clock)
        session.tracing = self._board.tracing
        before = self._newest.get(peer)
        if before is not None:
            before.end(AdapterOffline(peer=peer))
        self._newest[peer] = session
        self._callers.attend(session, context)
        self._is_empty.clear()
        try:
            async with self._locks.setdefault(peer, asyncio.Lock()):
                await self._own(session, frames, context)
        finally:
            self._callers.leave(session)
            if self._newest.get(peer) is session:
                del self._newest[peer]
            if not self._newest:
                self._is_empty.set()
        return session.end_cause

    async def _own(
        self,
        session: Session,
        frames: AsyncIterator[pb.AdapterFrame],
        context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame],
    ) -> None:
        """The session from its lease to its end, unless it has ended while it waited."""
        fence = await self._lease(session)
        if fence is None:
            return
        owner = PeerOwner(self._board, session, fence, self._telemetry)
        try:
            await owner.start()
            self.owners[session.peer] = owner
            self._telemetry.sessions.set(len(self.owners))
            name = session.hello.adapter[:MAX_NAME]
            _log.info("session_begins", peer=session.peer, adapter=name, epoch=fence.epoch)
            if not await _serve(session, frames, context, self._board.clock):
                raise _Unread
        finally:
            await _to_its_end(self._close(owner))

    async def _close(self, owner: PeerOwner) -> None:
        self.owners.pop(owner.peer, None)
        self._telemetry.sessions.set(len(self.owners))
        _log.info("session_over", peer=owner.peer, reason=owner.session.end_cause.reason)
        try:
            await owner.stop()
        except HubError as error:
            _log.warning("close_failed", peer=owner.peer, reason=error.reason)

    async def _hello(self, frames: AsyncIterator[pb.AdapterFrame]) -> pb.AdapterFrame:
        try:
            clock = self._board.clock
            first = await within(clock, HELLO_WITHIN, "hello", anext(aiter(frames)))
        except (AnswerOverdue, StopAsyncIteration, DecodeError) as error:
            raise FrameInvalid(frame="hello", problem="did not come first") from error
        kind = first.WhichOneof("body")
        if kind != "hello":
            raise FrameInvalid(frame=str(kind), problem="came before the hello")
        return first

    async def _check(self, peer: PeerId, hello: pb.Hello) -> None:
        if not PROTOCOL_VERSIONS.intersection(hello.protocol_versions):
            raise ProtocolUnsupported(
                offered=str(list(hello.protocol_versions)[:8]),
                supported=str(sorted(PROTOCOL_VERSIONS)),
            )
        found = await self._board.registry.peers.get(peer)
        if found.state is not PeerState.ACTIVE:
            raise PeerSuspended(peer=found.name)
        if hello.chain_id != found.anchor.chain_id:
            raise ChainIdMismatch(got=hello.chain_id[:64], expected=found.anchor.chain_id)

    async def _lease(self, session: Session) -> Fence | None:
        """The peer's lease, waited for where another process holds it; None if the session ended.

        Raises ``LeaseLost``.
        """
        clock, peer = self._board.clock, session.peer
        deadline = clock.monotonic() + LEASE_WITHIN
        while not session.ended.is_set():
            fence = await self._board.registry.leases.acquire(peer, self._board.name, LEASE)
            if fence is not None:
                return fence
            if clock.monotonic() >= deadline:
                raise LeaseLost(peer=peer, epoch=0)
            await clock.sleep(LEASE_RETRY)
        return None


async def _end(
    context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame], cause: Exception
) -> NoReturn:
    """The stream ends because of *cause*, as soon as the adapter reads that far."""
    if isinstance(cause, HubError):
        _log.info("session_ended", reason=cause.reason, detail=str(cause))
    await context.abort_with_status(rpc_status.to_status(to_status(cause, uuid4().hex)))


async def _serve(
    session: Session,
    frames: AsyncIterator[pb.AdapterFrame],
    context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame],
    clock: Clock,
) -> bool:
    """Frames go both ways until the session ends; whether the adapter took all that was begun."""
    reader = asyncio.ensure_future(_read(session, frames))
    writer = asyncio.ensure_future(_write(session, context))
    try:
        await session.ended.wait()
        # A write that is cut off leaves the stream in no state to be ended in order.
        await within(clock, LAST_WRITE_WITHIN, "frame", writer)
    except AnswerOverdue:
        return False
    finally:
        reader.cancel()
        writer.cancel()
    return True


async def _read(session: Session, frames: AsyncIterator[pb.AdapterFrame]) -> None:
    """Frames go to the session until either ends."""
    cause: HubError = AdapterOffline(peer=session.peer)
    try:
        async for frame in frames:
            session.receive(frame)
            await session.room()
    except HubError as error:
        cause = error
    except DecodeError:
        cause = FrameInvalid(frame="bytes", problem="are no frame")
    except _BROKEN:
        pass
    finally:
        session.end(cause)


async def _write(
    session: Session, context: grpc.aio.ServicerContext[pb.AdapterFrame, pb.RelayerFrame]
) -> None:
    """Frames go to the adapter until either ends; the session ends where it takes none."""
    try:
        while (frame := await session.next_frame()) is not None:
            await context.write(frame)
    except _BROKEN:
        pass
    finally:
        session.end(AdapterOffline(peer=session.peer))


async def _to_its_end(work: Coroutine[object, object, None]) -> None:
    """*work* ends before this does, also where this is cancelled again and again."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
