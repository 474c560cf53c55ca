"""One attached session: hello, welcome, then everything that goes either way until its end.

The session knows nothing that lasts. What the hub has is told by the welcome, what the chain has by
the chain; so a session may end at any moment, and the next one goes on.

Source: design section 5; protos/ydhub/relay/v1/relay_service.proto.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.backoff import CHANCES, delay
from adapters.sdk.executions import Executions
from adapters.sdk.failpoints import Failpoint, hit
from adapters.sdk.pump import Pump
from adapters.sdk.requests import Requests
from adapters.sdk.waiting import within
from adapters.sdk.wire.decode import cursor_from_proto, verdict_from_proto
from hub.core.errors import (
    AnswerOverdue,
    FrameInvalid,
    HubError,
    ProtocolUnsupported,
    ShuttingDown,
)
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire.status import RemoteError
from hub.wire.tracing import OFF

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from adapters.sdk.accepted_log import AcceptedLog
    from adapters.sdk.anchors import Anchors
    from adapters.sdk.chain import ChainAdapter
    from adapters.sdk.clock import Clock, Randomness
    from adapters.sdk.stream import Stream
    from hub.core.height import Height
    from hub.core.lane import LaneKey, Side
    from hub.core.ranges import RangeSet
    from hub.wire.tracing import Tracing

PROTOCOL_VERSIONS: Final = (1,)
HEARTBEAT: Final = Duration(SECOND)
SILENCE: Final = Duration(3 * SECOND)
"""Without a frame for that long, the session ends."""
WELCOME_WITHIN: Final = Duration(20 * SECOND)
"""A relayer may have to wait for another one's lease before it welcomes."""
DRAIN_WITHIN: Final = Duration(10 * SECOND)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """What stands behind every session of one adapter."""

    chain: ChainAdapter
    anchors: Anchors
    log: AcceptedLog
    clock: Clock
    randomness: Randomness
    adapter: str
    """The adapter's own name and version, for the relayer's logs."""
    execution_credits: int = 16
    """Executions that may run at once."""
    tracing: Tracing = OFF


class Session:
    """One stream, from hello to its end."""

    def __init__(self, city: City, stream: Stream) -> None:
        """A session on *stream*, which has just begun."""
        self.is_welcome = False
        self._city = city
        self._stream = stream
        self.prefers = ""
        """Which relayer, host:port, the drained session should be followed by; empty for any."""
        self._relayer = ""
        self._recorded = asyncio.Event()
        self.pump = Pump(city.chain, stream, city.clock, city.randomness, self._record)
        self.pump.tracing = city.tracing
        self._executions: Executions | None = None
        self._requests: Requests | None = None
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Lives until the stream ends. Raises ``HubError`` or ``RemoteError``: why it ended.

        ``ShuttingDown`` is the peaceful end: the relayer asked to be left, and all was answered.
        """
        try:
            await self._open()
            async with asyncio.TaskGroup() as tasks:
                self._begin(tasks)
        except BaseExceptionGroup as group:
            raise _cause(group) from group
        finally:
            self.pump.end()
            self._stream.cancel()

    async def _open(self) -> None:
        chain = self._city.chain
        hello = pb.Hello(
            protocol_versions=PROTOCOL_VERSIONS,
            adapter=self._city.adapter,
            chain_id=chain.chain_id,
            order_enforceable=chain.order_enforceable,
            execution_credits=self._city.execution_credits,
        )
        await self._stream.send(pb.AdapterFrame(hello=hello))
        try:
            frame = await within(self._stream.receive(), self._city.clock, WELCOME_WITHIN)
        except TimeoutError as error:
            waited_ms = WELCOME_WITHIN // MILLISECOND
            raise AnswerOverdue(what="hello", waited_ms=waited_ms) from error
        if frame.WhichOneof("body") != "welcome":
            raise FrameInvalid(frame=str(frame.WhichOneof("body")), problem="is no welcome")
        self._welcome(frame.welcome)

    def _welcome(self, welcome: pb.Welcome) -> None:
        if welcome.protocol_version not in PROTOCOL_VERSIONS:
            offered = str(welcome.protocol_version)
            raise ProtocolUnsupported(offered=offered, supported=str(PROTOCOL_VERSIONS))
        self.pump.begin(
            client_height=welcome.client_height,
            anchor_height=welcome.anchor_height,
            item_credits=welcome.item_credits,
        )
        self._relayer = welcome.relayer
        self._tell(welcome.cursors)
        self.is_welcome = True
        _log.info(
            "session_opened",
            relayer=welcome.relayer,
            lanes=len(welcome.cursors),
            client_height=welcome.client_height,
        )

    def _begin(self, tasks: asyncio.TaskGroup) -> None:
        city = self._city
        self._tasks = tasks
        self._executions = Executions(city.chain, self._stream, tasks, city.execution_credits)
        self._executions.tracing = city.tracing
        self._requests = Requests(city.chain, city.anchors, self._stream, self.pump, tasks)
        for work in (
            self._read(self._executions, self._requests),
            self._follow(),
            self.pump.run(),
            self._beat(),
            self._watch(),
            self._keep_log(),
        ):
            tasks.create_task(work)

    async def _read(self, executions: Executions, requests: Requests) -> None:
        """Every frame is taken as it comes; nothing here waits for the chain."""
        while True:
            frame = await self._stream.receive()
            match frame.WhichOneof("body"):
                case "heartbeat":
                    pass
                case "verdict":
                    hit(Failpoint.VERDICT_TAKEN)
                    self.pump.judge(verdict_from_proto(frame.verdict))
                case "execution":
                    hit(Failpoint.EXECUTION_RECEIVED)
                    executions.begin(frame.execution)
                case "request":
                    requests.begin(frame.request)
                case "credits":
                    self.pump.grant(frame.credits.count)
                case "lanes":
                    self._tell(frame.lanes.cursors)
                case "drain":
                    self.prefers = frame.drain.prefer
                    self._drain(executions)
                case "welcome" | None as other:
                    raise FrameInvalid(frame=str(other), problem="is not expected here")

    async def _follow(self) -> None:
        """The pump sees every new header."""
        after: Height | None = None
        tries = 0
        while True:
            try:
                head = await self._city.chain.head(after)
            except HubError as error:
                tries += 1
                _log.warning("chain_failed", reason=error.reason, detail=str(error))
                chance = self._city.randomness.below(CHANCES)
                await self._city.clock.sleep(delay(tries, chance))
                continue
            tries = 0
            after = head.height
            self.pump.see(head)

    async def _beat(self) -> None:
        while True:
            await self._city.clock.sleep(HEARTBEAT)
            await self._stream.send(pb.AdapterFrame(heartbeat=pb.Heartbeat()))

    async def _watch(self) -> None:
        """A relayer that is silent for too long is gone, whatever the connection says.

        Apart from the heartbeats, which a connection that takes nothing more would stop.
        """
        while True:
            await self._city.clock.sleep(HEARTBEAT)
            if self._stream.silence >= SILENCE:
                raise AnswerOverdue(what="heartbeat", waited_ms=SILENCE // MILLISECOND)

    async def _keep_log(self) -> None:
        while True:
            await self._recorded.wait()
            self._recorded.clear()
            try:
                await self._city.log.flush()
            except OSError as error:
                _log.error("accepted_log_failed", detail=str(error))
                await self._city.clock.sleep(HEARTBEAT)
                self._recorded.set()

    def _tell(self, messages: Iterable[pb.LaneCursor]) -> None:
        """The pump knows where the lanes stand, and the log what the registry says it has."""
        cursors = [cursor_from_proto(message) for message in messages]
        self.pump.tell(cursors)
        for cursor in cursors:
            self._record(cursor.lane, cursor.side, cursor.done)

    def _record(self, lane: LaneKey, side: Side, accepted: RangeSet) -> None:
        new = accepted - self._city.log.accepted(lane, side)
        if new:
            self._city.log.append(
                relayer=self._relayer,
                lane=lane,
                side=side,
                sequences=new,
                at=self._city.clock.now(),
            )
            self._recorded.set()

    def _drain(self, executions: Executions) -> None:
        if self._tasks is not None:
            _log.info("session_drains", relayer=self._relayer)
            self._tasks.create_task(self._drained(executions))

    async def _drained(self, executions: Executions) -> None:
        try:
            await within(self._finish(executions), self._city.clock, DRAIN_WITHIN)
        except TimeoutError:
            _log.warning("drain_overdue", relayer=self._relayer)
        raise ShuttingDown

    async def _finish(self, executions: Executions) -> None:
        await self.pump.drain()
        await executions.drain()


def _cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one failure that ended a session: a bug before all others."""
    found = list(_leaves(group))
    expected = HubError | RemoteError
    return next((error for error in found if not isinstance(error, expected)), found[0])


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
