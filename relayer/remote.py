"""Sessions of adapters that are attached to another relayer process, asked by way of the registry.

A remote session has the surface of a local one, so that whoever asks does not care where the
adapter is attached. What it answers is an adapter's word, to be verified like any.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

from google.protobuf.message import DecodeError, Message
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    AdapterOffline,
    AnswerOverdue,
    ChainUnreachable,
    FrameInvalid,
    HubError,
    Reason,
    ShuttingDown,
)
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.ports.forwarding import EXPIRES_AFTER, ForwardKind
from relayer.session import read_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.ids import PeerId
    from hub.ports.clock import Clock
    from hub.ports.forwarding import ForwardedAnswer
    from hub.ports.registry import Registry

M = TypeVar("M", bound=Message)

POLL_EVERY: Final = Duration(SECOND)
"""The slow poll behind the hints."""


class Forwarder:
    """What this process asks of sessions that others own."""

    def __init__(self, registry: Registry, clock: Clock, name: str) -> None:
        """Nothing is asked; *name* is the asker's in the registry."""
        self._registry = registry
        self._clock = clock
        self._name = name
        self._waiting: dict[int, asyncio.Event] = {}

    def session(self, peer: PeerId) -> RemoteSession:
        """*peer*'s session, wherever it is."""
        return RemoteSession(peer, self)

    def told(self, number: int) -> None:
        """The request has its answer, by a hint."""
        waiting = self._waiting.get(number)
        if waiting is not None:
            waiting.set()

    async def ask(self, peer: PeerId, kind: ForwardKind, message: Message) -> bytes:
        """What the owner of *peer*'s session made of *message*.

        Raises ``AdapterOffline``, ``AnswerOverdue``, ``ShuttingDown``, ``LimitExceeded``,
        ``RateLimited``, or ``ChainUnreachable`` with the owner's refusal.
        """
        forwarding = self._registry.forwarding
        content = message.SerializeToString()
        number = await forwarding.ask(peer, kind, content, self._name)
        told = self._waiting[number] = asyncio.Event()
        is_read = False
        try:
            answer = await self._read(number, told)
            is_read = True
        finally:
            del self._waiting[number]
            if not is_read:
                with suppress(HubError):
                    await forwarding.withdraw(number)
        if answer.reason:
            raise _refusal(peer, answer)
        return answer.content

    async def _read(self, number: int, told: asyncio.Event) -> ForwardedAnswer:
        is_orphan = False
        while True:
            await self._wait(told)
            try:
                answer = await self._registry.forwarding.read(number)
            except AdapterOffline:
                # The session may be on its way from one process to another.
                if is_orphan:
                    raise
                is_orphan = True
                continue
            if answer is not None:
                return answer
            is_orphan = False

    async def _wait(self, told: asyncio.Event) -> None:
        """Returns when a hint came, or the poll is due."""
        hint = asyncio.ensure_future(told.wait())
        poll = asyncio.ensure_future(self._clock.sleep(POLL_EVERY))
        try:
            await asyncio.wait((hint, poll), return_when=asyncio.FIRST_COMPLETED)
        finally:
            hint.cancel()
            poll.cancel()
        told.clear()


class RemoteSession:
    """One peer's session with another process, as far as one may ask it."""

    def __init__(self, peer: PeerId, forwarder: Forwarder) -> None:
        """The session of *peer*, asked through *forwarder*."""
        self.peer = peer
        self._forwarder = forwarder

    async def introduced(self) -> pb.Hello:
        """What the adapter said of itself. Raises as ``Forwarder.ask``, or ``FrameInvalid``."""
        content = await self._forwarder.ask(self.peer, ForwardKind.HELLO, pb.Hello())
        return _parsed(pb.Hello(), content)

    async def request(self, request: pb.Request) -> pb.Answer:
        """As of a local session; raises as ``Forwarder.ask`` too."""
        content = await self._forwarder.ask(self.peer, ForwardKind.REQUEST, request)
        kind = str(request.WhichOneof("body"))
        return read_answer(self.peer, kind, _parsed(pb.Answer(), content))

    async def execute(
        self, execution: pb.Execution, sent: Callable[[], None] | None = None
    ) -> pb.ExecutionReport:
        """What became of updates of a client; raises as ``Forwarder.ask``, or ``FrameInvalid``.

        Packets and outcomes are carried by their owner alone.
        """
        content = await self._forwarder.ask(self.peer, ForwardKind.EXECUTION, execution)
        if sent is not None:
            sent()
        return _parsed(pb.ExecutionReport(), content)

    async def have_header(self, height: int) -> None:
        """Its owner has verified and stored the header of *height*.

        Raises as ``Forwarder.ask``.
        """
        await self._forwarder.ask(self.peer, ForwardKind.HEADER, pb.HeaderRequest(heights=[height]))


def _parsed(message: M, content: bytes) -> M:
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise FrameInvalid(frame="forwarded answer", problem="is none") from error
    return message


def _refusal(peer: PeerId, answer: ForwardedAnswer) -> HubError:
    match answer.reason:
        case Reason.ADAPTER_OFFLINE | Reason.LEASE_LOST:
            return AdapterOffline(peer=peer)
        case Reason.SHUTTING_DOWN:
            return ShuttingDown()
        case Reason.ANSWER_OVERDUE:
            waited_ms = EXPIRES_AFTER // MILLISECOND
            return AnswerOverdue(what="forwarded request", waited_ms=waited_ms)
        case other:
            return ChainUnreachable(chain=f"peers/{peer}", problem=f"{other}: {answer.detail}")
