"""What other relayer processes ask of a session that this one owns: taken, done, answered.

Under the session's lease: an owner that has lost it takes and answers nothing. Others may have the
adapter asked, its chain's clients updated and its headers verified; packets and outcomes are
carried by their owner alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from google.protobuf.message import DecodeError
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import FrameInvalid, HubError, Reason
from hub.core.ids import parse_client_id
from hub.ports.forwarding import ForwardedAnswer, ForwardKind

if TYPE_CHECKING:
    from hub.core.ids import ClientId
    from hub.ports.forwarding import ForwardedRequest
    from hub.ports.leases import Fence
    from relayer.headers import HeaderKeeper
    from relayer.session import Session
    from relayer.switchboard import Switchboard

_log = structlog.get_logger()

AT_ONCE: Final = 8
"""Requests that are under way together."""
MAX_DETAIL: Final = 512
"""Characters of a refusal's text."""


class ForwardedWork:
    """Does what is asked of one peer's session."""

    def __init__(
        self, board: Switchboard, session: Session, fence: Fence, keeper: HeaderKeeper
    ) -> None:
        """Work for *session* under *fence*; *keeper* verifies its chain's headers."""
        self._board = board
        self._session = session
        self._fence = fence
        self._keeper = keeper
        self._told = asyncio.Event()
        self._running = 0

    def told(self) -> None:
        """There is something to take, by a hint."""
        self._told.set()

    async def run(self) -> None:
        """Takes what comes, a few at once."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                for request in await self._take():
                    self._running += 1
                    tasks.create_task(self._do(request))
                await self._wait()

    async def _take(self) -> list[ForwardedRequest]:
        room = AT_ONCE - self._running
        if not room:
            return []
        try:
            return list(await self._board.registry.forwarding.take(self._fence, room))
        except HubError as error:
            _log.info("forwarded_not_taken", peer=self._fence.peer, reason=error.reason)
            return []

    async def _wait(self) -> None:
        """Returns when a hint came, room was made, or something waits that no hint told of."""
        is_due = False
        while not is_due:
            hint = asyncio.ensure_future(self._told.wait())
            poll = asyncio.ensure_future(self._board.asked.next_round())
            try:
                await asyncio.wait((hint, poll), return_when=asyncio.FIRST_COMPLETED)
            finally:
                hint.cancel()
                poll.cancel()
            is_due = self._told.is_set() or await self._is_asked()
        self._told.clear()

    async def _is_asked(self) -> bool:
        try:
            return await self._board.asked.of(self._fence.peer)
        except HubError as error:
            _log.info("forwarded_unknown", peer=self._fence.peer, reason=error.reason)
            return False

    async def _do(self, request: ForwardedRequest) -> None:
        peer = self._fence.peer
        try:
            answer = await self._answer(request)
            await self._board.registry.forwarding.answer(self._fence, request.number, answer)
        except HubError as error:
            _log.info("forwarded_not_answered", peer=peer, reason=error.reason)
        finally:
            self._running -= 1
            self._told.set()

    async def _answer(self, request: ForwardedRequest) -> ForwardedAnswer:
        peer = self._fence.peer
        try:
            return ForwardedAnswer(await self._done(request))
        except HubError as error:
            return ForwardedAnswer(b"", error.reason, str(error)[:MAX_DETAIL])
        except DecodeError:
            return ForwardedAnswer(b"", Reason.FRAME_INVALID, "the request is none")
        except Exception:  # noqa: BLE001 - a bug costs one request, and no session
            _log.exception("forwarded_broke", peer=peer, kind=request.kind)
            return ForwardedAnswer(b"", Reason.INTERNAL, "a fault of the owner's")

    async def _done(self, request: ForwardedRequest) -> bytes:
        match request.kind:
            case ForwardKind.HELLO:
                return self._session.hello.SerializeToString()
            case ForwardKind.HEADER:
                return await self._header(pb.HeaderRequest.FromString(request.content))
            case ForwardKind.REQUEST:
                return await self._ask(pb.Request.FromString(request.content))
            case ForwardKind.EXECUTION:
                return await self._execute(pb.Execution.FromString(request.content))

    async def _header(self, request: pb.HeaderRequest) -> bytes:
        for height in request.heights:
            await self._keeper.header(height)
        return b""

    async def _ask(self, request: pb.Request) -> bytes:
        answer = await self._session.ask(request)
        if request.HasField("register_counterparty"):
            self._forget(parse_client_id(request.register_counterparty.client))
        return answer.SerializeToString()

    async def _execute(self, execution: pb.Execution) -> bytes:
        action = execution.WhichOneof("action")
        if action is not None:
            raise FrameInvalid(frame=action, problem="is carried by its owner alone")
        try:
            report = await self._session.execute(execution)
        finally:
            self._forget(parse_client_id(execution.client))
        return report.SerializeToString()

    def _forget(self, client: ClientId) -> None:
        """What is known here of *client* may be no longer true."""
        clients = self._board.chain_clients.get(self._fence.peer)
        if clients is not None:
            clients.forget(client)
