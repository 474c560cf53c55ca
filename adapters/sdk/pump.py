"""What the chain has and the hub lacks, on its way out: headers first, then what they prove.

One header serves all lanes: each round shows what stands under the newest one. When nothing needs
a header, one is shown every interval all the same, for a destination's time is what timeouts are
judged by. Failures of the chain and refused headers pause the whole pump; a refused frame holds its
own lane (steps.py).

Source: design section 5, "Headers and client updates".
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from adapters.sdk.backoff import CHANCES, delay
from adapters.sdk.failpoints import Failpoint, hit
from adapters.sdk.outbox import Outbox
from adapters.sdk.steps import GiveUp, Record, Wait
from adapters.sdk.submission import Headers, Items
from adapters.sdk.waiting import rest
from adapters.sdk.wire.encode import submission_to_proto
from hub.core.errors import AdapterOffline, CreditsSpent, HubError
from hub.core.lane import Side
from hub.core.paths import acknowledgement_key, commitment_key
from hub.core.time import SECOND, Duration, Timestamp
from hub.wire.frames import MAX_FRAME_BYTES
from hub.wire.tracing import OFF, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from ydhub.relay.v1 import relay_pb2 as pb

    from adapters.sdk.chain import ChainAdapter, Head, Item
    from adapters.sdk.clock import Clock, Randomness
    from adapters.sdk.outbox import Turn
    from adapters.sdk.steps import Lane
    from adapters.sdk.stream import Stream
    from adapters.sdk.submission import LaneCursor, Submission, Verdict
    from hub.core.height import Height
    from hub.core.ids import ClientId
    from hub.core.lane import LaneKey
    from hub.core.ranges import RangeSet

HEADER_INTERVAL: Final = Duration(SECOND)
_CONTENT_BYTES: Final = MAX_FRAME_BYTES - MAX_FRAME_BYTES // 8
"""Items' bytes in a frame; the rest is room for their proof."""

_log = structlog.get_logger()


class Pump:
    """The outbound side of one session."""

    def __init__(
        self,
        chain: ChainAdapter,
        stream: Stream,
        clock: Clock,
        randomness: Randomness,
        accepted: Callable[[LaneKey, Side, RangeSet], None],
    ) -> None:
        """A pump that tells *accepted* what the relayer says is accepted."""
        self._chain = chain
        self._stream = stream
        self._clock = clock
        self._randomness = randomness
        self._accepted = accepted
        self._outbox = Outbox(0)
        self._wake = asyncio.Event()
        self._answered = asyncio.Event()
        self._head: Head | None = None
        self._anchor_height = 0
        self._confirmed = self._shown = 0
        self._showing = asyncio.Lock()
        self._header_frames: dict[int, int] = {}
        self._header_due = Timestamp(0)
        self._waiting: dict[int, asyncio.Future[Verdict]] = {}
        self._tries = 0
        self._paused_until = Timestamp(0)
        self._is_draining = False
        self.tracing = OFF

    def begin(self, *, client_height: int, anchor_height: int, item_credits: int) -> None:
        """The hub client stands at *client_height*, 0 before the header at *anchor_height*."""
        self._confirmed = self._shown = client_height
        self._anchor_height = anchor_height
        self._outbox = Outbox(item_credits)

    def tell(self, cursors: list[LaneCursor]) -> None:
        """The registry tells where lanes stand. Raises ``LimitExceeded``."""
        for cursor in cursors:
            self._outbox.tell(cursor, self._clock.monotonic())
        self._wake.set()

    def lanes_of(self, client: ClientId) -> list[Lane]:
        """The lanes of the chain's own *client*, as they stand."""
        return self._outbox.lanes_of(client)

    def grant(self, count: int) -> None:
        """The relayer has room for *count* more unanswered items."""
        self._outbox.grant(count)
        self._wake.set()

    def see(self, head: Head) -> None:
        """The chain has a new header."""
        if self._head is None or head.height > self._head.height:
            self._head = head
        self._outbox.wake(head.active)
        self._wake.set()

    def ask_again(self, client: ClientId, sequence: int) -> None:
        """The relayer lacks the acknowledgement of a packet that *client* received."""
        now = self._clock.monotonic()
        self._outbox.ask_again(client, sequence, Side.DESTINATION, now)
        self._wake.set()

    def judge(self, verdict: Verdict) -> None:
        """A verdict came."""
        now = self._clock.monotonic()
        height = self._header_frames.pop(verdict.frame_id, 0)
        if height:
            self._judge_header(height, verdict, now)
        waiting = self._waiting.pop(verdict.frame_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(verdict)
        judged = self._outbox.judge(verdict, self._randomness.below(CHANCES), now)
        if judged is not None:
            lane, effects = judged
            for effect in effects:
                match effect:
                    case Record(sequences):
                        self._accepted(lane.key, lane.side, sequences)
                    case GiveUp(sequences, refusal):
                        _log.error(
                            "items_refused",
                            lane=lane.key.name,
                            first=sequences.first,
                            count=len(sequences),
                            reason=refusal.reason,
                            detail=refusal.detail,
                        )
                    case Wait(_, refusal):
                        _log.warning(
                            "items_delayed",
                            lane=lane.key.name,
                            reason=refusal.reason,
                            detail=refusal.detail,
                        )
        self._answered.set()
        self._wake.set()

    async def run(self) -> None:
        """Shows what is wanted until the session ends."""
        while True:
            self._wake.clear()
            now = self._clock.monotonic()
            if self._head is None or now < self._paused_until or not await self._round(now):
                await rest(self._wake, self._clock, self._rest_for(now))

    async def show_header(self, height: Height) -> None:
        """The relayer was shown the header at *height*, or a newer one, in this session or before.

        Raises ``HubError``.
        """
        async with self._showing:
            if self._shown == 0 and self._anchor_height:
                await self._send_header(self._anchor_height)
            if height.number > self._shown:
                await self._send_header(height.number)

    async def submit(self, submission: Submission) -> Verdict:
        """What the relayer makes of *submission*. Raises ``CreditsSpent`` or ``AdapterOffline``."""
        count = len(submission.items) if isinstance(submission, Items) else 0
        if count > self._outbox.room:
            raise CreditsSpent(sent=count, credits=self._outbox.room)
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()

        def sent(frame_id: int) -> None:
            self._waiting[frame_id] = future
            self._outbox.charge(frame_id, count)

        await self._stream.send(submission_to_proto(submission), sent)
        return await future

    def end(self) -> None:
        """The session is over: whoever waits for a verdict hears it."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(AdapterOffline(peer=self._chain.chain_id))
        self._waiting.clear()

    async def drain(self) -> None:
        """Nothing new goes out; returns when every frame is answered."""
        self._is_draining = True
        while not self._outbox.is_idle:
            self._answered.clear()
            await self._answered.wait()

    async def _round(self, now: Timestamp) -> bool:
        """Whether something went out."""
        if self._is_draining or self._head is None:
            return False
        at = self._head.height
        if at.number < self._shown:
            # The node lags behind what was shown already: nothing it proves can be newer.
            return False
        turn = self._outbox.take(now)
        try:
            if turn is not None:
                await self._show(turn, at)
                return True
            if at.number > self._shown and now >= self._header_due:
                await self.show_header(at)
                return True
        except HubError as error:
            if turn is not None:
                self._outbox.put_back(turn.lane)
            self._pause(error, now)
        return False

    async def _show(self, turn: Turn, at: Height) -> None:
        lane = turn.lane
        find = self._chain.packets if lane.side is Side.SOURCE else self._chain.acknowledgements
        found = await find(lane.client, turn.wanted, turn.limit, at)
        if not found:
            return
        frame, sequences = await self._frame(lane, _that_fit(found), at)
        if len(found) == turn.limit or len(sequences) < len(found):
            self._outbox.put_back(lane)
        with self.tracing.stage(Stage.SHOW, lane.key.name, lambda: sequences) as span:
            if span.context:
                frame.trace = span.context
            await self.show_header(at)
            await self._stream.send(
                frame,
                lambda number: self._outbox.sent(number, lane, sequences, self._clock.monotonic()),
            )
        hit(Failpoint.ITEMS_SHOWN)

    async def _frame(
        self, lane: Lane, found: tuple[Item, ...], at: Height
    ) -> tuple[pb.AdapterFrame, RangeSet]:
        """The frame of as many of the items *found* as the limit of bytes allows, with proof."""
        key = commitment_key if lane.side is Side.SOURCE else acknowledgement_key
        while True:
            keys = [key(lane.client, item.sequence) for item in found]
            proof = await self._chain.prove_batch(keys, at)
            shown = Items(
                lane=lane.key,
                side=lane.side,
                proof_height=at,
                items=found,
                proof_batch=proof.proof,
            )
            frame = submission_to_proto(shown)
            if len(found) == 1 or frame.ByteSize() <= MAX_FRAME_BYTES:
                return frame, shown.sequences
            found = found[: len(found) // 2]

    async def _send_header(self, number: int) -> None:
        headers = await self._chain.headers([number])

        def sent(frame_id: int) -> None:
            self._header_frames[frame_id] = number
            self._shown = number
            self._header_due = Timestamp(self._clock.monotonic() + HEADER_INTERVAL)

        await self._stream.send(submission_to_proto(Headers(headers)), sent)
        hit(Failpoint.HEADER_SHOWN)

    def _judge_header(self, height: int, verdict: Verdict, now: Timestamp) -> None:
        refusal = verdict.whole
        if refusal is None:
            self._confirmed = max(self._confirmed, height)
            self._tries = 0
            return
        if self._shown > self._confirmed:
            self._shown = self._confirmed
            self._hold(now, refusal.wait)
        _log.warning("header_refused", height=height, reason=refusal.reason, detail=refusal.detail)

    def _pause(self, error: HubError, now: Timestamp) -> None:
        _log.warning("chain_failed", reason=error.reason, detail=str(error))
        self._hold(now)

    def _hold(self, now: Timestamp, least: int = 0) -> None:
        """Nothing is shown for a while, *least* (ns) or longer."""
        self._tries += 1
        wait = max(least, delay(self._tries, self._randomness.below(CHANCES)))
        self._paused_until = Timestamp(now + wait)

    def _rest_for(self, now: Timestamp) -> Duration | None:
        """How long nothing can change by itself (ns); None means until something happens."""
        if now < self._paused_until:
            return Duration(self._paused_until - now)
        times = [self._outbox.wakes_at or 0]
        if self._head is not None and self._head.height.number > self._shown:
            times.append(self._header_due)
        future = [time for time in times if time > now]
        return Duration(min(future) - now) if future else None


def _that_fit(found: tuple[Item, ...]) -> tuple[Item, ...]:
    """The first items that a frame has room for; at least one."""
    size = 0
    for count, item in enumerate(found):
        size += len(item.content)
        if count and size > _CONTENT_BYTES:
            return found[:count]
    return found
