"""One adapter session: frames in and out, heartbeats, credits, requests and their answers.

The session knows nothing of lanes. It keeps both directions bounded: the adapter may have only so
many items unanswered, the relayer only so many executions and requests outstanding, so no queue
grows without end.

Source: design section 5.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    AdapterOffline,
    AnswerOverdue,
    ChainUnreachable,
    CreditsSpent,
    FrameInvalid,
    HubError,
)
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire.frames import item_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.ids import PeerId
    from hub.ports.clock import Clock

T = TypeVar("T")

HEARTBEAT: Final = Duration(SECOND)
SILENCE: Final = Duration(3 * SECOND)
"""Without a frame for that long, the session ends."""
ITEM_CREDITS: Final = 8192
MAX_FRAMES: Final = 2048
"""Frames of any kind that the adapter may have unanswered."""
MAX_EXECUTIONS: Final = 64
ANSWER_WITHIN: Final = Duration(15 * SECOND)
REPORT_WITHIN: Final = Duration(25 * SECOND)


class Session:
    """The stream of one adapter; lives as long as the stream does."""

    def __init__(self, peer: PeerId, hello: pb.Hello, clock: Clock) -> None:
        """A session of *peer* whose adapter has said *hello*."""
        self.peer = peer
        self.hello = hello
        self.outbound: asyncio.Queue[pb.RelayerFrame] = asyncio.Queue()
        self.work: asyncio.Queue[pb.AdapterFrame] = asyncio.Queue()
        """Frames that a verdict answers, in order; bounded by the item credits."""
        self.ended = asyncio.Event()
        self.end_cause: HubError = AdapterOffline(peer=peer)
        self._clock = clock
        self._heard_at = clock.monotonic()
        self._unanswered = 0
        self._unanswered_frames = 0
        self._next_id = 1
        self._last_frame_id = 0
        self._answers: dict[int, asyncio.Future[pb.Answer]] = {}
        self._reports: dict[int, asyncio.Future[pb.ExecutionReport]] = {}
        granted = min(hello.execution_credits or 1, MAX_EXECUTIONS)
        self._executions = asyncio.Semaphore(granted)

    def end(self, cause: HubError) -> None:
        """The session is over because of *cause*; everything that waits on it fails."""
        if self.ended.is_set():
            return
        self.end_cause = cause
        self.ended.set()
        offline = AdapterOffline(peer=self.peer)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(offline)
        for report in self._reports.values():
            if not report.done():
                report.set_exception(offline)

    def send(self, frame: pb.RelayerFrame) -> None:
        """*frame* goes out after those before it."""
        if not self.ended.is_set():
            self.outbound.put_nowait(frame)

    def receive(self, frame: pb.AdapterFrame) -> None:
        """*frame* came in. Raises ``FrameInvalid`` or ``CreditsSpent``: the session must end."""
        self._heard_at = self._clock.monotonic()
        if frame.frame_id <= self._last_frame_id:
            raise FrameInvalid(frame=str(frame.frame_id), problem="frame ids do not rise")
        self._last_frame_id = frame.frame_id
        match frame.WhichOneof("body"):
            case "heartbeat" | "credits":
                return
            case "report":
                self._resolve(self._reports, frame.report.execution_id, frame.report)
            case "answer":
                self._resolve(self._answers, frame.answer.request_id, frame.answer)
            case "headers" | "packets" | "acknowledgements" | "absence" | "misbehaviour":
                self._charge(frame)
                self.work.put_nowait(frame)
            case other:
                raise FrameInvalid(frame=str(other), problem="is not expected here")

    def answered(self, frame: pb.AdapterFrame, verdict: pb.Verdict) -> None:
        """*verdict* answers *frame*: it goes out, and the items' credits are free again."""
        self._unanswered -= item_count(frame)
        self._unanswered_frames -= 1
        self.send(pb.RelayerFrame(verdict=verdict))

    async def request(self, request: pb.Request) -> pb.Answer:
        """The adapter's answer.

        Raises ``AdapterOffline``, ``AnswerOverdue``, or ``ChainUnreachable`` with its refusal.
        """
        request.request_id = self._take_id()
        future: asyncio.Future[pb.Answer] = asyncio.get_running_loop().create_future()
        self._answers[request.request_id] = future
        try:
            self._check_live()
            self.send(pb.RelayerFrame(request=request))
            what = str(request.WhichOneof("body"))
            answer = await self._within(future, ANSWER_WITHIN, what)
        finally:
            del self._answers[request.request_id]
        if answer.WhichOneof("body") == "refusal":
            problem = f"{answer.refusal.reason}: {answer.refusal.detail}"
            raise ChainUnreachable(chain=f"peers/{self.peer}", problem=problem)
        return answer

    async def execute(
        self, execution: pb.Execution, sent: Callable[[], None] | None = None
    ) -> pb.ExecutionReport:
        """What became of *execution* on the chain. Raises ``AdapterOffline``, ``AnswerOverdue``."""
        async with self._executions:
            execution.execution_id = self._take_id()
            future: asyncio.Future[pb.ExecutionReport] = asyncio.get_running_loop().create_future()
            self._reports[execution.execution_id] = future
            try:
                self._check_live()
                self.send(pb.RelayerFrame(execution=execution))
                if sent is not None:
                    sent()
                return await self._within(future, REPORT_WITHIN, "execution")
            finally:
                del self._reports[execution.execution_id]

    async def beat(self) -> None:
        """Heartbeats go out until the session ends; silence from the other side ends it."""
        while not self.ended.is_set():
            self.send(pb.RelayerFrame(heartbeat=pb.Heartbeat()))
            await self._clock.sleep(HEARTBEAT)
            if self._clock.monotonic() - self._heard_at > SILENCE:
                self.end(AnswerOverdue(what="heartbeat", waited_ms=SILENCE // MILLISECOND))

    async def _within(self, future: asyncio.Future[T], limit: Duration, what: str) -> T:
        """The future's result, if it comes within *limit* (ns). Raises ``AnswerOverdue``."""
        timer: asyncio.Future[Any] = asyncio.ensure_future(self._clock.sleep(limit))
        try:
            await asyncio.wait(
                [cast("asyncio.Future[Any]", future), timer], return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            timer.cancel()
        if not future.done():
            raise AnswerOverdue(what=what, waited_ms=limit // MILLISECOND)
        return future.result()

    def _resolve(self, waiting: dict[int, asyncio.Future[T]], number: int, value: T) -> None:
        """Whoever waits for *number* gets *value*; a late or surplus one is dropped."""
        future = waiting.get(number)
        if future is not None and not future.done():
            future.set_result(value)

    def _charge(self, frame: pb.AdapterFrame) -> None:
        self._unanswered += item_count(frame)
        self._unanswered_frames += 1
        if self._unanswered > ITEM_CREDITS:
            raise CreditsSpent(sent=self._unanswered, credits=ITEM_CREDITS)
        if self._unanswered_frames > MAX_FRAMES:
            raise CreditsSpent(sent=self._unanswered_frames, credits=MAX_FRAMES)

    def _take_id(self) -> int:
        taken = self._next_id
        self._next_id += 1
        return taken

    def _check_live(self) -> None:
        if self.ended.is_set():
            raise AdapterOffline(peer=self.peer)
