"""Runs one lane's flow: feeds it events, carries out its effects, wakes it when time has passed.

All decisions are ``steps.flow.step``; here are only the tasks. A flow at rest has none.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from hub.core.errors import HubError, Reason
from hub.core.time import SECOND, Duration
from relayer.steps.backoff import CHANCES
from relayer.steps.events import (
    Again,
    Begun,
    Done,
    Effect,
    Ended,
    Event,
    Failed,
    Park,
    Reopened,
    Reported,
    Send,
    Tick,
    Unwritten,
    Wait,
    Withdrawn,
)
from relayer.steps.flow import Flow, step, wakes_at

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from hub.core.ranges import RangeSet
    from hub.core.record import Refusal
    from hub.core.time import Timestamp
    from hub.ports.clock import Randomness
    from relayer.alarms import Alarms
    from relayer.steps.shares import Path
    from relayer.turns import Turn, Turns

_log = structlog.get_logger()

OK: Final = "OK"
GOES_ON_EVERY: Final = Duration(SECOND)
"""An attempt's time begins anew not more often than that."""
GIVEN_UP: Final = "GIVEN_UP"
"""The flow waited no longer, or the session has ended."""


class Carrier(Protocol):
    """What a flow's effects do in the world."""

    @property
    def linger(self) -> Duration:
        """How long (ns) reports wait for others that may be recorded with them."""
        ...

    async def carry(self, send: Send, goes_on: Callable[[], None], turn: Turn) -> Reported:
        """What became of the attempt. A ``HubError`` means that nobody knows, or not yet.

        Tells *goes_on* whenever a part of it is done. It has its *turn* at the chain, and gives it
        back where it waits for something else.
        """
        ...

    async def record(self, effect: Done | Park | Wait) -> RangeSet:
        """The effect is durable; the items that have ended with that.

        What a ``HubError`` keeps from being recorded is sent again later, and reported again.
        """
        ...

    def prove_afresh(self, items: RangeSet) -> None:
        """*items* go with a new proof when they are sent, until they are reported executed."""
        ...


def joined(effects: Iterable[Done | Park | Wait]) -> list[Done | Park | Wait]:
    """*effects* in order, reports that follow each other as one."""
    found: list[Done | Park | Wait] = []
    for effect in effects:
        before = found[-1] if found else None
        if isinstance(effect, Done) and isinstance(before, Done):
            found[-1] = Done(before.items | effect.items)
        else:
            found.append(effect)
    return found


class FlowRunner:
    """One flow and its tasks; lives as long as its session."""

    __slots__ = (
        "_alarms",
        "_attempts",
        "_carrier",
        "_clock",
        "_is_stopped",
        "_name",
        "_path",
        "_randomness",
        "_recording",
        "_records",
        "_tasks",
        "_turns",
        "alarm",
        "flow",
        "on_attempt",
        "on_fault",
    )

    def __init__(
        self,
        flow: Flow,
        carrier: Carrier,
        turns: Turns,
        alarms: Alarms,
        randomness: Randomness,
        *,
        name: str,
        shares: Path = (),
    ) -> None:
        """A runner of *flow*; its attempts wait for their *turns* at its chain.

        *alarms* wake it, by their clock. *shares* are the names above its own, each of which has a
        share of the turns.
        """
        self.flow = flow
        self._carrier = carrier
        self._turns = turns
        self._alarms = alarms
        self.alarm: Timestamp | None = None
        """As ``Sleeper`` says."""
        self._clock = alarms.clock
        self._randomness = randomness
        self._name = name
        self._path = (*shares, name)
        self._records: deque[Done | Park | Wait] = deque()
        self._recording: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._attempts: dict[int, asyncio.Task[None]] = {}
        self._is_stopped = False
        self.on_fault: Callable[[BaseException], None] = lambda _: None
        """Called when one of its tasks ends by a fault of ours."""
        self.on_attempt: Callable[[str, int, Duration], None] = lambda *_: None
        """Called when an attempt ended: OK or why nobody knows how, items executed, its time."""

    async def stop(self) -> None:
        """All of its tasks are over; nothing that happens counts any more."""
        self._is_stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def feed(self, event: Event) -> None:
        """*event* happened."""
        if self._is_stopped:
            return
        self.flow, effects = step(self.flow, event, self._clock.monotonic())
        for effect in effects:
            self._carry_out(effect)
        self._give_up_overdue()
        due = wakes_at(self.flow)
        if due is not None:
            self._alarms.wake(self, due)

    def rung(self) -> None:
        """As ``Sleeper`` says."""
        self.feed(Tick())

    def again(self, items: RangeSet) -> None:
        """*items* are tried now, and proven afresh."""
        if items:
            self._carrier.prove_afresh(items)
            self.feed(Again(items))

    def reopened(self, items: RangeSet, refusal: Refusal | None = None) -> None:
        """*items* were not executed after all: proven afresh they are tried, or else parked."""
        if items:
            self._carrier.prove_afresh(items)
            self.feed(Reopened(items, refusal))

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            self._attempts[effect.number] = self._spawn(self._attempt(effect))
            return
        self._records.append(effect)
        if self._recording is None:
            self._recording = self._spawn(self._record())

    def _give_up_overdue(self) -> None:
        """An attempt that the flow has given up takes no more of the chain's credits."""
        if len(self._attempts) > len(self.flow.in_flight):
            alive = {attempt.number for attempt in self.flow.in_flight}
            for number in self._attempts.keys() - alive:
                self._attempts.pop(number).cancel()

    async def _attempt(self, send: Send) -> None:
        """The attempt, once it is its turn; not if it is no longer wanted then."""
        async with self._turns.turn(*self._path, items=len(send.items)) as turn:
            attempt = next((a for a in self.flow.in_flight if a.number == send.number), None)
            if attempt is None or not attempt.items or self.flow.is_stopped:
                self._end(Withdrawn(send.number))
                return
            self.feed(Begun(send.number))
            items, lapsed = attempt.items, attempt.items & self.flow.lapsed
            event = await self._carry(replace(send, items=items, lapsed=lapsed), turn)
        self._end(event)

    async def _carry(self, send: Send, turn: Turn) -> Failed | Reported:
        began = self._clock.monotonic()
        reason, executed = GIVEN_UP, 0
        try:
            event = await self._carrier.carry(send, self._going_on(send.number), turn)
            reason, executed = OK, len(event.executed)
            return event  # noqa: TRY300 - what follows is of failures
        except HubError as error:
            reason = str(error.reason)
            _log.info(
                "attempt_failed",
                flow=self._name,
                number=send.number,
                reason=error.reason,
                detail=str(error),
            )
        except Exception:  # noqa: BLE001 - a bug costs one attempt, not the peer's session
            reason = str(Reason.INTERNAL)
            _log.exception("attempt_broke", flow=self._name, number=send.number)
        finally:
            took = Duration(self._clock.monotonic() - began)
            self.on_attempt(reason, executed, took)
        return Failed(send.number, self._randomness.below(CHANCES))

    def _going_on(self, number: int) -> Callable[[], None]:
        """Tells the flow that the attempt goes on, once in a while."""
        told = self._clock.monotonic()

        def tell() -> None:
            nonlocal told
            now = self._clock.monotonic()
            if now - told >= GOES_ON_EVERY:
                told = now
                self.feed(Begun(number))

        return tell

    def _end(self, event: Failed | Reported | Withdrawn) -> None:
        self._attempts.pop(event.number, None)
        self.feed(event)

    async def _record(self) -> None:
        """Effects are recorded in order; reports that came meanwhile, all at once."""
        try:
            while self._records:
                if self._carrier.linger and all(isinstance(e, Done) for e in self._records):
                    await self._clock.sleep(self._carrier.linger)
                effects = joined(self._records)
                self._records.clear()
                for effect in effects:
                    await self._record_one(effect)
        finally:
            self._recording = None

    async def _record_one(self, effect: Done | Park | Wait) -> None:
        try:
            ended = await self._carrier.record(effect)
        except HubError as error:
            _log.warning("record_failed", flow=self._name, reason=error.reason, detail=str(error))
        except Exception:  # noqa: BLE001 - as above
            _log.exception("record_broke", flow=self._name)
        else:
            if ended:
                self.feed(Ended(ended))
            return
        if isinstance(effect, Park):
            self.feed(Unwritten(effect.item, self._randomness.below(CHANCES)))

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.on_fault(error)
