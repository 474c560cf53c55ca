from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import AdapterOffline, Reason, RegistryUnreachable
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import Refusal
from hub.core.time import MILLISECOND, SECOND, Duration, Timestamp
from relayer.alarms import Alarms
from relayer.runner import FlowRunner, joined
from relayer.steps.events import Added, Done, Ended, Gate, Park, Refused, Reported, Send, Wait
from relayer.steps.flow import PROOF_WITHIN, REPORT_WITHIN, Flow
from relayer.turns import Turn, Turns
from tests.harness.clock import FixedChance, ManualClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

NEVER = Refusal(Reason.PACKET_INVALID, "no such application", is_final=True)


class PaperCarrier:
    """Executes everything at once, or does what it is told; what was recorded ends if *ends*."""

    def __init__(self) -> None:
        self.ends = True
        self.linger = Duration(0)
        self.goes_on: Callable[[], None] = lambda: None
        """Of the newest attempt."""
        self.waits = False
        """Attempts wait for a result of the test's."""
        self.results: asyncio.Queue[Reported | Exception] = asyncio.Queue()
        self.failures: list[Exception] = []
        """Raised one by one by the next records."""
        self.records = asyncio.Event()
        """Records go on while it is set."""
        self.records.set()
        self.sends: list[Send] = []
        self.recorded: list[Done | Park | Wait] = []
        self.cancelled: list[int] = []
        self.afresh = EMPTY

    def prove_afresh(self, items: RangeSet) -> None:
        self.afresh |= items

    async def carry(self, send: Send, goes_on: Callable[[], None], turn: Turn) -> Reported:
        self.sends.append(send)
        self.turn = turn
        self.goes_on = goes_on
        if not self.waits:
            return Reported(send.number, send.items)
        try:
            result = await self.results.get()
        except asyncio.CancelledError:
            self.cancelled.append(send.number)
            raise
        if isinstance(result, Exception):
            raise result
        return result

    async def record(self, effect: Done | Park | Wait) -> RangeSet:
        await self.records.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.recorded.append(effect)
        return effect.items if self.ends and isinstance(effect, Done) else EMPTY


@pytest.fixture
async def carrier() -> PaperCarrier:
    return PaperCarrier()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def turns() -> Turns:
    return Turns(1)


@pytest.fixture
async def runner(
    carrier: PaperCarrier, clock: ManualClock, turns: Turns
) -> AsyncIterator[FlowRunner]:
    alarms = Alarms(clock)
    made = FlowRunner(Flow(window=1), carrier, turns, alarms, FixedChance(), name="a lane")
    waking = asyncio.ensure_future(alarms.run())
    yield made
    await made.stop()
    waking.cancel()


def span(first: int, last: int) -> RangeSet:
    return RangeSet.span(first, last + 1)


ONE = span(1, 1)


async def test_what_is_tried_again_is_proven_afresh(
    runner: FlowRunner, carrier: PaperCarrier
) -> None:
    runner.again(EMPTY)
    assert (carrier.sends, carrier.afresh) == ([], EMPTY)
    runner.again(RangeSet.of([3]))
    await settle()
    assert carrier.afresh == RangeSet.of([3])
    assert [send.items for send in carrier.sends] == [RangeSet.of([3])]


async def test_what_is_open_again_is_proven_afresh_and_tried(
    runner: FlowRunner, carrier: PaperCarrier
) -> None:
    runner.reopened(EMPTY)
    assert (carrier.sends, carrier.afresh) == ([], EMPTY)
    runner.reopened(RangeSet.of([3]))
    await settle()
    assert carrier.afresh == RangeSet.of([3])
    [send] = carrier.sends
    assert (send.items, send.possible_duplicate) == (RangeSet.of([3]), True)


def test_reports_that_follow_each_other_are_one_record() -> None:
    park, wait = Park(9, NEVER), Wait(span(7, 8), None, Timestamp(0), 1)
    spans = [span(1, 2), span(3, 4), span(5, 5), span(6, 6)]
    first, second, third, last = map(Done, spans)
    effects: list[Done | Park | Wait] = [first, second, park, third, wait, last]
    assert joined(effects) == [Done(span(1, 4)), park, third, wait, last]
    assert joined([]) == []


class TestRecords:
    async def test_what_lingers_is_recorded_with_what_comes_meanwhile(
        self, carrier: PaperCarrier, clock: ManualClock, turns: Turns
    ) -> None:
        linger = carrier.linger = Duration(20 * MILLISECOND)
        runner = FlowRunner(Flow(), carrier, turns, Alarms(clock), FixedChance(), name="a lane")
        runner.feed(Added(span(1, 2)))
        await settle()
        await clock.advance(Duration(linger - 1))
        runner.feed(Added(span(3, 4)))
        await settle()
        assert carrier.recorded == []
        await clock.advance(Duration(1))
        assert carrier.recorded == [Done(span(1, 4))]
        await runner.stop()

    async def test_a_refusal_is_recorded_at_once_and_the_reports_with_it(
        self, carrier: PaperCarrier, clock: ManualClock, turns: Turns
    ) -> None:
        carrier.linger = Duration(20 * MILLISECOND)
        carrier.waits = True
        runner = FlowRunner(Flow(), carrier, turns, Alarms(clock), FixedChance(), name="a lane")
        runner.feed(Added(span(1, 2)))
        await carrier.results.put(Reported(1, ONE, (Refused(2, NEVER),)))
        await settle()
        assert carrier.recorded == [Done(ONE), Park(2, NEVER)]
        await runner.stop()

    async def test_reports_that_come_while_one_is_recorded_are_recorded_at_once(
        self, runner: FlowRunner, carrier: PaperCarrier
    ) -> None:
        carrier.records.clear()
        for first in (1, 11, 21, 31):
            runner.feed(Added(span(first, first + 9)))
            await settle()
        assert [send.items for send in carrier.sends] == [span(n, n + 9) for n in (1, 11, 21, 31)]
        carrier.records.set()
        await settle()
        assert carrier.recorded == [Done(span(1, 10)), Done(span(11, 40))]

    async def test_an_item_whose_report_is_not_recorded_yet_is_not_sent_again(
        self, runner: FlowRunner, carrier: PaperCarrier
    ) -> None:
        carrier.records.clear()
        runner.feed(Added(span(1, 5)))
        await settle()
        runner.feed(Added(span(1, 7)))
        await settle()
        assert [send.items for send in carrier.sends] == [span(1, 5), span(6, 7)]

    async def test_an_item_whose_completion_is_recorded_is_gone(
        self, runner: FlowRunner, carrier: PaperCarrier
    ) -> None:
        runner.feed(Added(span(1, 5)))
        await settle()
        assert carrier.recorded == [Done(span(1, 5))]
        assert runner.flow.awaiting == ()

    async def test_a_record_that_ends_nothing_leaves_its_items_waiting_for_their_proof(
        self, runner: FlowRunner, carrier: PaperCarrier, clock: ManualClock
    ) -> None:
        carrier.ends = False
        runner.feed(Added(ONE))
        await settle()
        assert [delayed.items for delayed in runner.flow.awaiting] == [ONE]
        await clock.advance(PROOF_WITHIN)
        assert [send.possible_duplicate for send in carrier.sends] == [False, True]
        runner.feed(Ended(ONE))
        await clock.advance(PROOF_WITHIN)
        assert len(carrier.sends) == 2

    async def test_what_was_not_recorded_for_whatever_reason_waits_and_the_next_record_goes_on(
        self, runner: FlowRunner, carrier: PaperCarrier
    ) -> None:
        carrier.failures = [RegistryUnreachable(problem="away"), ValueError("NUL")]
        for number in (1, 2, 3):
            runner.feed(Added(span(number, number)))
            await settle()
        assert carrier.recorded == [Done(span(3, 3))]
        assert [delayed.items for delayed in runner.flow.awaiting] == [span(1, 1), span(2, 2)]

    async def test_parking_is_recorded(self, runner: FlowRunner, carrier: PaperCarrier) -> None:
        carrier.waits = True
        runner.feed(Added(ONE))
        await settle()
        carrier.results.put_nowait(Reported(1, EMPTY, (Refused(1, NEVER),)))
        await settle()
        assert carrier.recorded == [Park(1, NEVER)]

    @pytest.mark.parametrize("failure", [RegistryUnreachable(problem="away"), ValueError("NUL")])
    async def test_parking_that_was_not_recorded_is_recorded_at_a_later_try(
        self,
        runner: FlowRunner,
        carrier: PaperCarrier,
        clock: ManualClock,
        failure: Exception,
    ) -> None:
        carrier.waits = True
        carrier.failures = [failure]
        runner.feed(Added(ONE))
        for number in (1, 2):
            await settle()
            carrier.results.put_nowait(Reported(number, EMPTY, (Refused(1, NEVER),)))
            await settle()
            assert carrier.recorded == [Park(1, NEVER)] * (number - 1)
            await clock.advance(SECOND)
        assert len(carrier.sends) == 2


class TestAttempts:
    async def test_one_that_fails_is_made_again_when_its_time_has_come(
        self, runner: FlowRunner, carrier: PaperCarrier, clock: ManualClock
    ) -> None:
        carrier.waits = True
        runner.feed(Added(ONE))
        await settle()
        carrier.results.put_nowait(AdapterOffline(peer="suzhou"))
        await settle()
        await clock.advance(Duration(250 * MILLISECOND))
        assert len(carrier.sends) == 1
        await clock.advance(MILLISECOND)
        assert [send.possible_duplicate for send in carrier.sends] == [False, True]

    async def test_a_bug_in_one_costs_that_one_alone(
        self, runner: FlowRunner, carrier: PaperCarrier, clock: ManualClock
    ) -> None:
        faults: list[BaseException] = []
        runner.on_fault = faults.append
        carrier.waits = True
        runner.feed(Added(ONE))
        await settle()
        carrier.results.put_nowait(KeyError("proof"))
        await settle()
        await clock.advance(SECOND)
        assert len(carrier.sends) == 2
        assert faults == []

    async def test_one_that_is_overdue_is_given_up_before_it_is_made_again(
        self, runner: FlowRunner, carrier: PaperCarrier, clock: ManualClock
    ) -> None:
        """Else a chain that is slow would be asked for ever more at once."""
        carrier.waits = True
        runner.feed(Added(ONE))
        await settle()
        for _ in range(3):
            await clock.advance(REPORT_WITHIN)
        assert len(carrier.sends) == 4
        assert carrier.cancelled == [1, 2, 3]
        assert len(runner._attempts) == 1
        await runner.stop()
        assert carrier.cancelled == [1, 2, 3, 4]

    async def test_a_stopped_lane_holds_what_it_has(
        self, runner: FlowRunner, carrier: PaperCarrier
    ) -> None:
        runner.feed(Gate(is_stopped=True))
        runner.feed(Added(ONE))
        await settle()
        assert carrier.sends == []
        runner.feed(Gate(is_stopped=False))
        await settle()
        assert len(carrier.sends) == 1


class TestTurns:
    """Attempts that wait because other lanes have theirs at the same chain."""

    async def test_an_attempt_that_waits_has_not_begun_and_is_never_overdue(
        self, runner: FlowRunner, carrier: PaperCarrier, clock: ManualClock, turns: Turns
    ) -> None:
        async with turns.turn("another lane"):
            runner.feed(Added(ONE))
            await clock.advance(Duration(10 * REPORT_WITHIN))
            assert (carrier.sends, len(runner.flow.in_flight)) == ([], 1)
        await settle()
        assert [send.possible_duplicate for send in carrier.sends] == [False]
        assert carrier.recorded == [Done(ONE)]

    async def test_what_has_ended_meanwhile_is_left_out(
        self, runner: FlowRunner, carrier: PaperCarrier, turns: Turns
    ) -> None:
        async with turns.turn("another lane"):
            runner.feed(Added(span(1, 3)))
            await settle()
            runner.feed(Ended(span(2, 2)))
        await settle()
        assert [send.items for send in carrier.sends] == [RangeSet.of([1, 3])]

    async def test_nothing_is_carried_where_all_has_ended_meanwhile(
        self, runner: FlowRunner, carrier: PaperCarrier, turns: Turns
    ) -> None:
        async with turns.turn("another lane"):
            runner.feed(Added(span(1, 3)))
            await settle()
            runner.feed(Ended(span(1, 3)))
            runner.feed(Added(span(4, 4)))
        await settle()
        assert [send.items for send in carrier.sends] == [span(4, 4)]
        assert runner.flow.in_flight == ()
        assert runner._attempts == {}

    async def test_a_lane_that_is_stopped_meanwhile_keeps_what_it_has(
        self, runner: FlowRunner, carrier: PaperCarrier, turns: Turns
    ) -> None:
        async with turns.turn("another lane"):
            runner.feed(Added(span(1, 3)))
            await settle()
            runner.feed(Gate(is_stopped=True))
        await settle()
        assert (carrier.sends, runner.flow.pending) == ([], span(1, 3))
        runner.feed(Gate(is_stopped=False))
        await settle()
        assert [send.items for send in carrier.sends] == [span(1, 3)]
        assert not carrier.sends[0].possible_duplicate

    async def test_an_attempt_whose_parts_are_done_one_by_one_is_not_overdue(
        self, runner: FlowRunner, carrier: PaperCarrier, clock: ManualClock
    ) -> None:
        carrier.waits = True
        runner.feed(Added(ONE))
        await settle()
        for _ in range(5):
            await clock.advance(Duration(REPORT_WITHIN - 1))
            carrier.goes_on()
        assert carrier.cancelled == []
        await clock.advance(REPORT_WITHIN)
        assert carrier.cancelled == [1]

    async def test_stopping_gives_its_turn_to_others(
        self, runner: FlowRunner, carrier: PaperCarrier, turns: Turns
    ) -> None:
        carrier.waits = True
        runner.feed(Added(ONE))
        await settle()
        await runner.stop()
        async with asyncio.timeout(1), turns.turn("another lane"):
            assert carrier.cancelled == [1]


async def test_a_fault_of_its_own_tasks_is_told(
    runner: FlowRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[BaseException] = []
    runner.on_fault = faults.append
    monkeypatch.setattr("relayer.runner.joined", lambda _: 1)
    runner.feed(Added(ONE))
    await settle()
    assert [type(fault) for fault in faults] == [TypeError]


async def test_after_its_stop_nothing_runs_and_nothing_begins(
    runner: FlowRunner, carrier: PaperCarrier, clock: ManualClock
) -> None:
    carrier.waits = True
    runner.feed(Added(ONE))
    await settle()
    await runner.stop()
    await settle()
    runner.feed(Added(span(2, 2)))
    await settle()
    assert not runner._tasks
    await clock.advance(REPORT_WITHIN)
    assert [send.items for send in carrier.sends] == [ONE]
