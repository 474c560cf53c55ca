"""Runs one lane's flow: feeds it events, carries out its effects, wakes it when time has passed.

All decisions are ``steps.flow.step``; here are only the tasks.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from hub.core.errors import HubError, Reason
from hub.core.time import Duration
from relayer.steps.backoff import CHANCES
from relayer.steps.flow import (
    Again,
    Begun,
    Done,
    Effect,
    Ended,
    Event,
    Failed,
    Flow,
    Park,
    Reopened,
    Reported,
    Send,
    Tick,
    Wait,
    Withdrawn,
    step,
    wakes_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from hub.core.ranges import RangeSet
    from hub.core.record import Refusal
    from hub.core.time import Timestamp
    from hub.ports.clock import Clock, Randomness
    from relayer.steps.shares import Path
    from relayer.turns import Turns

_log = structlog.get_logger()

OK: Final = "OK"
GIVEN_UP: Final = "GIVEN_UP"
"""The flow waited no longer, or the session has ended."""


class Carrier(Protocol):
    """What a flow's effects do in the world."""

    async def carry(self, send: Send, goes_on: Callable[[], None]) -> Reported:
        """What became of the attempt. A ``HubError`` means that nobody knows, or not yet.

        Tells *goes_on* whenever a part of it is done.
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

    def __init__(
        self,
        flow: Flow,
        carrier: Carrier,
        turns: Turns,
        clock: Clock,
        randomness: Randomness,
        *,
        name: str,
        shares: Path = (),
    ) -> None:
        """A runner of *flow*, not started; its attempts wait for their *turns* at its chain.

        *shares* are the names above its own, each of which has a share of the turns.
        """
        self.flow = flow
        self._carrier = carrier
        self._turns = turns
        self._clock = clock
        self._randomness = randomness
        self._name = name
        self._path = (*shares, name)
        self._woken = asyncio.Event()
        """Something is due before the time that is waited for."""
        self._wakes_at: Timestamp | None = None
        self._records: asyncio.Queue[Done | Park | Wait] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._attempts: dict[int, asyncio.Task[None]] = {}
        self._is_stopped = False
        self.on_fault: Callable[[BaseException], None] = lambda _: None
        """Called when one of its tasks ends by a fault of ours."""
        self.on_attempt: Callable[[str, int, Duration], None] = lambda *_: None
        """Called when an attempt ended: OK or why nobody knows how, items executed, its time."""

    def start(self) -> None:
        """Its tasks run from now on."""
        self._spawn(self._wake())
        self._spawn(self._record())
        self.feed(Tick())

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
        if due is not None and (self._wakes_at is None or due < self._wakes_at):
            self._woken.set()

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
        else:
            self._records.put_nowait(effect)

    def _give_up_overdue(self) -> None:
        """An attempt that the flow has given up takes no more of the chain's credits."""
        if len(self._attempts) > len(self.flow.in_flight):
            alive = {attempt.number for attempt in self.flow.in_flight}
            for number in self._attempts.keys() - alive:
                self._attempts.pop(number).cancel()

    async def _attempt(self, send: Send) -> None:
        """The attempt, once it is its turn; not if it is no longer wanted then."""
        async with self._turns.turn(*self._path, items=len(send.items)):
            attempt = next((a for a in self.flow.in_flight if a.number == send.number), None)
            if attempt is None or not attempt.items or self.flow.is_stopped:
                self._end(Withdrawn(send.number))
                return
            self.feed(Begun(send.number))
            items, lapsed = attempt.items, attempt.items & self.flow.lapsed
            event = await self._carry(replace(send, items=items, lapsed=lapsed))
        self._end(event)

    async def _carry(self, send: Send) -> Failed | Reported:
        began = self._clock.monotonic()
        reason, executed = GIVEN_UP, 0
        try:
            event = await self._carrier.carry(send, lambda: self.feed(Begun(send.number)))
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

    def _end(self, event: Failed | Reported | Withdrawn) -> None:
        self._attempts.pop(event.number, None)
        self.feed(event)

    async def _record(self) -> None:
        """Effects are recorded in order; reports that came while one was, all at once."""
        while True:
            effects = [await self._records.get()]
            while not self._records.empty():
                effects.append(self._records.get_nowait())
            for effect in joined(effects):
                await self._record_one(effect)

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

    async def _wake(self) -> None:
        """Feeds a tick whenever the flow waits for a time that has come."""
        while True:
            self._woken.clear()
            due = self._wakes_at = wakes_at(self.flow)
            if due is None:
                await self._woken.wait()
                continue
            await self._until(due - self._clock.monotonic())
            # What was due may be over; then the next one is waited for.
            if due <= self._clock.monotonic():
                self.feed(Tick())

    async def _until(self, wait: int) -> None:
        """Returns after *wait* (ns), or when something is due before."""
        if wait <= 0:
            return
        sleep = asyncio.ensure_future(self._clock.sleep(Duration(wait)))
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait([sleep, woken], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            woken.cancel()

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
