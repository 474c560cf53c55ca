"""One adapter's stream, as a relayer sees it: frames in and out, heartbeats, requests, reports.

Source: protos/ydhub/relay/v1/relay.proto; design section 5.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance.demand import Failed
from adapters.conformance.watch import CREDITS, FRAMES
from hub.core.time import SECOND, Duration, Timestamp
from hub.wire.frames import item_count

if TYPE_CHECKING:
    from adapters.conformance.watch import Watch
    from adapters.sdk.clock import Clock
    from hub.core.errors import HubError

    T = TypeVar("T")

HEARTBEAT: Final = Duration(SECOND)
ANSWER_WITHIN: Final = Duration(15 * SECOND)
REPORT_WITHIN: Final = Duration(25 * SECOND)
PROVEN: Final = frozenset({"headers", "packets", "acknowledgements", "absence", "misbehaviour"})
"""Frames that a verdict answers."""


class Session:
    """One stream, from its hello to its end."""

    def __init__(self, identity: str, watch: Watch, clock: Clock) -> None:
        """A stream of the holder of *identity*, nothing said yet."""
        self.identity = identity
        self.first: pb.AdapterFrame | None = None
        self.work: asyncio.Queue[pb.AdapterFrame] = asyncio.Queue()
        """Frames that a verdict answers, in order."""
        self.outbound: asyncio.Queue[pb.RelayerFrame | HubError | None] = asyncio.Queue()
        """What is said; an error, or None, ends the stream."""
        self.beats: list[Timestamp] = []
        """When heartbeats came (monotonic ns)."""
        self.kinds: list[str] = []
        """Of every frame, in order."""
        self.heard_at = clock.monotonic()
        self.is_over = False
        self.is_silent = False
        """Nothing more is said."""
        self.may_end = False
        """The adapter was given a reason to end it."""
        self.reports: dict[int, pb.ExecutionReport] = {}
        self._watch = watch
        self._clock = clock
        self._answers: dict[int, pb.Answer] = {}
        self._last_frame = self._last_id = 0
        self._room = 0
        self._charges: dict[int, int] = {}

    @property
    def hello(self) -> pb.Hello:
        """What the adapter said first; empty if it was no hello."""
        return self.first.hello if self.first is not None else pb.Hello()

    def receive(self, frame: pb.AdapterFrame) -> None:
        """*frame* came."""
        self.heard_at = self._clock.monotonic()
        kind = str(frame.WhichOneof("body"))
        self.kinds.append(kind)
        wanted = f"frame ids that rise by one: {self._last_frame + 1}"
        self._watch.hold(FRAMES, frame.frame_id == self._last_frame + 1, wanted, frame.frame_id)
        self._last_frame = frame.frame_id
        self._watch.frame(frame)
        if self.first is None:
            self.first = frame
        elif kind == "heartbeat":
            self.beats.append(self.heard_at)
        elif kind == "report":
            self.reports[frame.report.execution_id] = frame.report
        elif kind == "answer":
            self._answers[frame.answer.request_id] = frame.answer
        elif kind in PROVEN:
            self._charge(frame)
            self.work.put_nowait(frame)
        self._watch.tell()

    def say(self, **body: Any) -> None:
        """A frame with that body goes to the adapter."""
        if not (self.is_silent or self.is_over):
            self.outbound.put_nowait(pb.RelayerFrame(**body))

    def welcome(self, welcome: pb.Welcome) -> None:
        """The session is open."""
        self._room = welcome.item_credits
        self.say(welcome=welcome)

    def answer(self, verdict: pb.Verdict) -> None:
        """*verdict* goes out, and its frame's items are free again."""
        self._room += self._charges.pop(verdict.frame_id, 0)
        self.say(verdict=verdict)

    def end(self, error: HubError | None = None) -> None:
        """The stream ends, by *error* or in peace."""
        self.outbound.put_nowait(error)

    def over(self) -> None:
        """The stream has ended."""
        self.is_over = True
        self._watch.tell()

    async def gone(self, limit: Duration, expected: str) -> None:
        """Returns when the stream has ended. Raises ``Failed`` after *limit* (ns)."""
        await self._watch.until(lambda: self.is_over, limit, expected)

    async def ask(self, **body: Any) -> pb.Answer:
        """The adapter's answer to a request. Raises ``Failed`` where none comes."""
        self._last_id += 1
        number = self._last_id
        request = pb.Request(request_id=number, **body)
        self.say(request=request)
        what = f"an answer to the request for {request.WhichOneof('body')}"
        await self._come(self._answers, number, ANSWER_WITHIN, what)
        return self._answers.pop(number)

    def begin(self, execution: pb.Execution) -> int:
        """The number under which *execution*, which the adapter is asked for, is reported."""
        self._last_id += 1
        execution.execution_id = self._last_id
        self.say(execution=execution)
        return self._last_id

    async def report(self, number: int) -> pb.ExecutionReport:
        """The report of an execution that was begun. Raises ``Failed`` where none comes."""
        await self._come(self.reports, number, REPORT_WITHIN, "a report of the execution")
        return self.reports[number]

    async def beat(self) -> None:
        """A heartbeat each second."""
        while not self.is_over:
            self.say(heartbeat=pb.Heartbeat())
            await self._clock.sleep(HEARTBEAT)

    async def _come(self, where: dict[int, T], number: int, limit: Duration, what: str) -> None:
        await self._watch.until(lambda: number in where or self.is_over, limit, what)
        if number not in where:
            raise Failed(what, "the end of the stream")

    def _charge(self, frame: pb.AdapterFrame) -> None:
        # Headers show what a relayer needs in any case; they take no room. Source: item_credits.
        count = item_count(frame)
        self._room -= count
        self._charges[frame.frame_id] = count
        if count:
            wanted = "no more unanswered items than the relayer has room for"
            self._watch.hold(CREDITS, self._room >= 0, wanted, f"{-self._room} more")
