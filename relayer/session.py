"""One adapter session: frames in and out, heartbeats, credits, requests and their answers.

The session knows nothing of lanes. It keeps both directions bounded: the adapter may have only so
many items unanswered, and an answer counts once it has left; it is not read further while what it
sent is too large; the relayer has only so many executions and requests outstanding. So no queue
grows without end, whoever stops reading.

Source: design section 5; reliability notes section 4, "slow stream reader".
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import (
    AdapterOffline,
    AnswerOverdue,
    ChainUnreachable,
    CreditsSpent,
    FrameInvalid,
    HubError,
    ShuttingDown,
)
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire.frames import item_count
from hub.wire.tracing import OFF
from relayer.deadline import Deadlines
from relayer.intake import Intake
from relayer.refusals import read_refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.ids import PeerId
    from hub.core.time import Timestamp
    from hub.ports.clock import Clock

T = TypeVar("T")

HEARTBEAT: Final = Duration(SECOND)
SILENCE: Final = Duration(3 * SECOND)
"""Without a frame for that long, the session ends."""
ITEM_CREDITS: Final = 8192
MAX_FRAMES: Final = 2048
MAX_BYTES: Final = 16 * 1024 * 1024
"""Unanswered frames, and their bytes: with more, nothing is read until some are answered."""
MAX_EXECUTIONS: Final = 64
MAX_REQUESTS: Final = 48
"""Unanswered ones; others wait. An adapter refuses more than 64 (adapters/sdk/requests.py)."""
WRITE_WITHIN: Final = Duration(10 * SECOND)
"""An adapter that does not take a frame for that long has missed every heartbeat, and is gone."""
ANSWER_WITHIN: Final = Duration(15 * SECOND)
REPORT_WITHIN: Final = Duration(25 * SECOND)

_ANSWERS: Final = {
    "headers": ("headers",),
    "proofs": ("proofs",),
    "client": ("clients",),
    "create_client": ("clients", "anchor_header_needed"),
    "register_counterparty": ("clients",),
}
"""What answers each kind of request."""


@dataclass(frozen=True, slots=True)
class _Charge:
    """What a frame of the adapter counts until its verdict has left."""

    items: int
    frames: int
    bytes: int


_NOTHING: Final = _Charge(0, 0, 0)


class Session:
    """The stream of one adapter; lives as long as the stream does."""

    def __init__(self, peer: PeerId, first: pb.AdapterFrame, clock: Clock) -> None:
        """A session of *peer* whose *first* frame was its hello."""
        self.peer = peer
        self.hello = first.hello
        self.work = Intake()
        """Frames that a verdict answers; bounded by the credits."""
        self.ended = asyncio.Event()
        self.end_cause: HubError = AdapterOffline(peer=peer)
        self.clock = clock
        self._heard_at = clock.monotonic()
        self._outbound: asyncio.Queue[tuple[pb.RelayerFrame, _Charge] | None] = asyncio.Queue()
        """None at its end."""
        self._held: list[tuple[pb.RelayerFrame, _Charge]] | None = None
        """What waits for the welcome; None once nothing has to."""
        self._charged = _NOTHING
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._next_id = 1
        self._last_frame_id = first.frame_id
        self._answers: dict[int, asyncio.Future[pb.Answer]] = {}
        self._reports: dict[int, asyncio.Future[pb.ExecutionReport]] = {}
        self._answers_due: Deadlines[pb.Answer] = Deadlines(clock, ANSWER_WITHIN)
        self._reports_due: Deadlines[pb.ExecutionReport] = Deadlines(clock, REPORT_WITHIN)
        self._writing_since: Timestamp | None = None
        """When the frame went out that the adapter has not taken yet."""
        self.execution_credits = min(first.hello.execution_credits or 1, MAX_EXECUTIONS)
        """Executions that the adapter takes at once."""
        self._executions = asyncio.Semaphore(self.execution_credits)
        self._requests = asyncio.Semaphore(MAX_REQUESTS)
        self._is_draining = False
        self.tracing = OFF

    @property
    def load(self) -> dict[str, int]:
        """What is under way, and what may be: by ``ydhub_session_`` name."""
        return {
            "queue_frames": self.work.qsize(),
            "unanswered_items": self._charged.items,
            "item_credits": ITEM_CREDITS,
            "executions": len(self._reports),
            "execution_credits": self.execution_credits,
        }

    def end(self, cause: HubError) -> None:
        """The session is over because of *cause*; everything that waits on it fails."""
        if self.ended.is_set():
            return
        self.end_cause = cause
        self.ended.set()
        self._outbound.put_nowait(None)
        offline = AdapterOffline(peer=self.peer)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(offline)
        for report in self._reports.values():
            if not report.done():
                report.set_exception(offline)
        self._answers_due.close()
        self._reports_due.close()

    def drain(self, prefer: str = "") -> None:
        """The adapter is told to dial another relayer; nothing more is handed to it to execute.

        It dials *prefer*, host:port, first, if it knows that address.
        """
        if self._is_draining:
            return
        self._is_draining = True
        self.send(pb.RelayerFrame(drain=pb.Drain(prefer=prefer)))

    def hold(self) -> None:
        """Whatever is sent from now on waits for the welcome."""
        self._held = []

    def welcome(self, welcome: pb.Welcome) -> None:
        """*welcome* goes out, and then what waited for it."""
        held, self._held = self._held or [], None
        self.send(pb.RelayerFrame(welcome=welcome))
        for frame, charge in held:
            self._put(frame, charge)

    def send(self, frame: pb.RelayerFrame) -> None:
        """*frame* goes out after those before it."""
        self._put(frame, _NOTHING)

    async def next_frame(self) -> pb.RelayerFrame | None:
        """The next frame that goes out, as soon as there is one; None once the session is over.

        The one before it has been taken.
        """
        self._writing_since = None
        found = None if self.ended.is_set() else await self._outbound.get()
        if found is None:
            return None
        frame, charge = found
        self._writing_since = self.clock.monotonic()
        self._charge(_Charge(-charge.items, -charge.frames, -charge.bytes))
        return frame

    async def room(self) -> None:
        """Returns when the next frame may be read; that it waits until then is no silence."""
        if not self._has_room.is_set():
            await self._has_room.wait()
            self._heard_at = self.clock.monotonic()

    def receive(self, frame: pb.AdapterFrame) -> None:
        """*frame* came in. Raises ``FrameInvalid`` or ``CreditsSpent``: the session must end."""
        self._heard_at = self.clock.monotonic()
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
                self._charge(_charge_of(frame))
                if self._charged.items > ITEM_CREDITS:
                    raise CreditsSpent(sent=self._charged.items, credits=ITEM_CREDITS)
                self.work.put_nowait(frame)
            case other:
                raise FrameInvalid(frame=str(other), problem="is not expected here")

    def answered(self, frame: pb.AdapterFrame, verdict: pb.Verdict) -> None:
        """*verdict* answers *frame*; the frame's credits are free again once it has left."""
        self._put(pb.RelayerFrame(verdict=verdict), _charge_of(frame))

    async def introduced(self) -> pb.Hello:
        """What the adapter said of itself."""
        return self.hello

    async def request(self, request: pb.Request) -> pb.Answer:
        """The adapter's answer, of a kind that answers what was asked for.

        Raises ``AdapterOffline``, ``AnswerOverdue``, ``FrameInvalid``, or ``ChainUnreachable`` with
        the adapter's refusal.
        """
        kind = str(request.WhichOneof("body"))
        return read_answer(self.peer, kind, await self.ask(request))

    async def ask(self, request: pb.Request) -> pb.Answer:
        """The adapter's answer, whatever it is. Raises ``AdapterOffline`` or ``AnswerOverdue``."""
        async with self._requests:
            number = request.request_id = self._take_id()
            kind = str(request.WhichOneof("body"))
            future: asyncio.Future[pb.Answer] = asyncio.get_running_loop().create_future()
            self._answers[number] = future
            try:
                self._check_live()
                self.send(pb.RelayerFrame(request=request))
                return await self._answers_due.meet(kind, future)
            finally:
                del self._answers[number]

    async def execute(
        self,
        execution: pb.Execution,
        sent: Callable[[], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> pb.ExecutionReport:
        """What became of *execution* on the chain.

        *check* raises where it is not to leave any more: it may have waited for its turn. Raises
        ``AdapterOffline``, ``ShuttingDown`` or ``AnswerOverdue``, and as *check*.
        """
        async with self._executions:
            execution.execution_id = self._take_id()
            future: asyncio.Future[pb.ExecutionReport] = asyncio.get_running_loop().create_future()
            self._reports[execution.execution_id] = future
            try:
                self._check_live()
                if self._is_draining:
                    raise ShuttingDown
                if check is not None:
                    check()
                self.send(pb.RelayerFrame(execution=execution))
                if sent is not None:
                    sent()
                return await self._reports_due.meet("execution", future)
            finally:
                del self._reports[execution.execution_id]

    async def beat(self) -> None:
        """Heartbeats go out until the session ends.

        Silence from the other side ends it, and so does a frame that it does not take. Until now it
        has waited for its welcome, and owed nothing.
        """
        self._heard_at = self.clock.monotonic()
        while not self.ended.is_set():
            if self._outbound.empty():  # whatever waits there shows as much
                self.send(pb.RelayerFrame(heartbeat=pb.Heartbeat()))
            await self.clock.sleep(HEARTBEAT)
            now = self.clock.monotonic()
            if now - self._heard_at > SILENCE and self._has_room.is_set():
                self.end(AnswerOverdue(what="heartbeat", waited_ms=SILENCE // MILLISECOND))
            since = self._writing_since
            if since is not None and now - since > WRITE_WITHIN:
                self.end(AnswerOverdue(what="frame", waited_ms=WRITE_WITHIN // MILLISECOND))

    def _put(self, frame: pb.RelayerFrame, charge: _Charge) -> None:
        if self.ended.is_set():
            return
        if self._held is not None:
            self._held.append((frame, charge))
        else:
            self._outbound.put_nowait((frame, charge))

    def _resolve(self, waiting: dict[int, asyncio.Future[T]], number: int, value: T) -> None:
        """Whoever waits for *number* gets *value*; a late or surplus one is dropped."""
        future = waiting.get(number)
        if future is not None and not future.done():
            future.set_result(value)

    def _charge(self, charge: _Charge) -> None:
        self._charged = _Charge(
            self._charged.items + charge.items,
            self._charged.frames + charge.frames,
            self._charged.bytes + charge.bytes,
        )
        if self._charged.bytes > MAX_BYTES or self._charged.frames > MAX_FRAMES:
            self._has_room.clear()
        else:
            self._has_room.set()

    def _take_id(self) -> int:
        taken = self._next_id
        self._next_id += 1
        return taken

    def _check_live(self) -> None:
        if self.ended.is_set():
            raise AdapterOffline(peer=self.peer)


def _charge_of(frame: pb.AdapterFrame) -> _Charge:
    return _Charge(item_count(frame), 1, frame.ByteSize())


def read_answer(peer: PeerId, kind: str, answer: pb.Answer) -> pb.Answer:
    """*answer*, which is of a kind that answers a request of *kind*.

    Raises ``FrameInvalid``, or ``ChainUnreachable`` with the refusal of *peer*'s adapter.
    """
    found = answer.WhichOneof("body")
    if found == "refusal":
        refusal = read_refusal(answer.refusal)
        problem = f"{refusal.reason}: {refusal.detail}"
        raise ChainUnreachable(chain=f"peers/{peer}", problem=problem)
    if found not in _ANSWERS[kind]:
        raise FrameInvalid(frame="answer", problem=f"holds {found}, asked for {kind}")
    return answer
