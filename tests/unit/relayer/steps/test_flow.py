from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.core.errors import Reason
from hub.core.lane import Order
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import Refusal
from hub.core.time import SECOND, Timestamp
from relayer.steps.backoff import CHANCES
from relayer.steps.events import (
    Added,
    Again,
    Begun,
    Done,
    Effect,
    Ended,
    Event,
    Failed,
    Gate,
    Lapsed,
    Park,
    Refused,
    Reopened,
    Reported,
    Send,
    Tick,
    Unwritten,
    Wait,
    Withdrawn,
)
from relayer.steps.flow import (
    BATCH,
    MAX_CUTS,
    PROOF_WITHIN,
    REPORT_WITHIN,
    Flow,
    backlog,
    step,
    wakes_at,
)

T0 = Timestamp(1_000 * SECOND)
LATER = Refusal(Reason.CHAIN_UNREACHABLE, "node is away", is_final=False)
NEVER = Refusal(Reason.PACKET_INVALID, "no such application", is_final=True)


ORDERED = Flow(window=1, order=Order.BEST_EFFORT, first=1)


def span(first: int, last: int) -> RangeSet:
    return RangeSet.span(first, last + 1)


def after(flow: Flow, *events: Event, at: Timestamp = T0) -> tuple[Flow, list[Effect]]:
    effects: list[Effect] = []
    for event in events:
        flow, more = step(flow, event, at)
        effects += more
    return flow, effects


def sends(effects: list[Effect]) -> list[Send]:
    return [effect for effect in effects if isinstance(effect, Send)]


def test_added_items_are_sent_in_attempts_of_at_most_a_batch_within_the_window() -> None:
    flow, effects = after(Flow(window=2), Added(span(1, 3 * BATCH)))
    assert [send.items for send in sends(effects)] == [span(1, BATCH), span(BATCH + 1, 2 * BATCH)]
    assert flow.pending == span(2 * BATCH + 1, 3 * BATCH)
    assert backlog(flow) == BATCH


def test_an_attempt_holds_whole_frames_so_that_their_proofs_go_on_unchanged() -> None:
    frames = [span(first, first + 99) for first in range(1, 701, 100)]
    flow, effects = after(Flow(window=2), Gate(is_stopped=True), *map(Added, frames))
    assert flow.cuts == tuple(range(101, 702, 100))
    flow, more = after(flow, Gate(is_stopped=False))
    assert [send.items for send in sends(effects + more)] == [span(1, 200), span(201, 400)]
    assert flow.cuts == (501, 601, 701)
    flow, effects = after(flow, Failed(2, 0), at=T0)
    assert [send.items for send in sends(effects)] == [span(401, 600)]
    flow, effects = after(flow, Ended(span(1, 200)), Reported(1, EMPTY), at=Timestamp(T0 + SECOND))
    assert [send.items for send in sends(effects)] == [span(201, 400)]


def test_a_frame_larger_than_an_attempt_is_cut() -> None:
    flow, effects = after(Flow(), Gate(is_stopped=True), Added(span(1, 10)), Added(span(11, 400)))
    _, effects = after(flow, Gate(is_stopped=False))
    assert [len(send.items) for send in sends(effects)] == [10, BATCH, 390 - BATCH]


def test_the_ends_of_frames_that_are_remembered_are_bounded_and_go_with_the_frames() -> None:
    flow, _ = after(Flow(), Gate(is_stopped=True), *[Added(span(s, s)) for s in range(1, 2000, 2)])
    assert len(flow.cuts) == MAX_CUTS
    flow, _ = after(flow, Ended(span(1, 2000)))
    assert flow.cuts == ()


def test_adding_again_what_is_known_sends_nothing() -> None:
    flow, _ = after(Flow(), Added(span(1, 5)))
    flow, effects = after(flow, Added(span(1, 5)))
    assert sends(effects) == []


def test_a_reported_item_awaits_its_proof_and_is_gone_when_its_outcome_is_proven() -> None:
    flow, effects = after(Flow(), Added(span(1, 5)), Reported(1, span(1, 5)))
    assert Done(span(1, 5)) in effects
    assert [delayed.items for delayed in flow.awaiting] == [span(1, 5)]
    flow, _ = after(flow, Ended(span(1, 5)))
    assert flow == Flow(next_number=2)


def test_an_outcome_proven_before_the_report_makes_the_report_mean_nothing() -> None:
    flow, effects = after(Flow(), Added(span(1, 5)), Ended(span(1, 5)), Reported(1, span(1, 5)))
    assert not any(isinstance(effect, Done) for effect in effects)
    assert flow.awaiting == ()


def test_above_the_window_only_full_attempts_are_sent() -> None:
    wide = Flow(window=2, full_window=4)
    flow, effects = after(wide, Added(span(1, 5 * BATCH + 9)))
    assert [send.number for send in sends(effects)] == [1, 2, 3, 4]
    flow, effects = after(flow, Reported(1, span(1, BATCH)))
    assert [send.items for send in sends(effects)] == [span(4 * BATCH + 1, 5 * BATCH)]
    flow, effects = after(flow, *[Reported(n, span(1, 9 * BATCH)) for n in (2, 3)])
    assert sends(effects) == []
    assert backlog(flow) == 9
    flow, effects = after(flow, Reported(4, span(1, 9 * BATCH)))
    assert [send.items for send in sends(effects)] == [span(5 * BATCH + 1, 5 * BATCH + 9)]


def test_a_window_for_full_attempts_that_is_smaller_means_nothing() -> None:
    _, effects = after(Flow(window=2, full_window=1), Added(span(1, 5 * BATCH)))
    assert len(sends(effects)) == 2


def test_an_attempt_that_waits_for_its_turn_is_never_overdue() -> None:
    flow, _ = after(Flow(), Added(span(1, 5)))
    assert wakes_at(flow) is None
    same, effects = after(flow, Tick(), at=Timestamp(T0 + 100 * REPORT_WITHIN))
    assert (same, effects) == (flow, [])


def test_an_attempt_that_goes_on_has_its_whole_time_again() -> None:
    flow, _ = after(Flow(), Added(span(1, 5)), Begun(1))
    flow, _ = after(flow, Begun(1), at=Timestamp(T0 + SECOND))
    assert wakes_at(flow) == T0 + SECOND + REPORT_WITHIN


def test_what_is_withdrawn_is_as_it_was() -> None:
    flow, _ = after(Flow(), Added(span(1, 5)), Gate(is_stopped=True), Withdrawn(1))
    assert flow.in_flight == ()
    _, effects = after(flow, Gate(is_stopped=False))
    assert sends(effects) == [Send(2, span(1, 5), possible_duplicate=False)]


def test_what_an_attempt_had_no_room_for_goes_next_as_if_it_had_not_been_tried() -> None:
    flow, _ = after(Flow(window=1), Added(span(1, 9)))
    flow, effects = after(flow, Reported(1, span(1, 4), untried=span(5, 9)))
    assert effects == [Done(span(1, 4)), Send(2, span(5, 9), possible_duplicate=False)]
    assert (flow.tries, flow.later, flow.tried) == (0, (), EMPTY)


def test_what_had_no_room_is_only_what_the_attempt_still_holds_and_did_not_execute() -> None:
    flow, _ = after(Flow(window=1), Added(span(1, 4)), Ended(span(4, 4)))
    flow, effects = after(flow, Reported(1, span(1, 2), untried=span(2, 9)))
    assert sends(effects) == [Send(2, span(3, 3), possible_duplicate=False)]


def test_in_order_what_had_no_room_waits_for_what_is_before_it() -> None:
    flow, _ = after(ORDERED, Added(span(1, 9)))
    flow, effects = after(flow, Reported(1, span(1, 4), untried=span(5, 9)))
    assert sends(effects) == []
    _, effects = after(flow, Ended(span(1, 4)))
    assert sends(effects) == [Send(2, span(5, 9), possible_duplicate=False)]


def test_frames_that_are_added_together_go_whole_if_their_starts_are_known() -> None:
    _, effects = after(Flow(window=9), Added(span(1, 700), (1, 101, 351, 601)))
    assert [send.items for send in sends(effects)] == [
        span(1, 100),
        span(101, 350),
        span(351, 600),
        span(601, 700),
    ]


def test_a_withdrawn_frame_is_as_whole_as_it_was() -> None:
    flow, _ = after(Flow(window=1), *[Added(span(s, s + 99)) for s in (1, 101, 201)])
    flow, effects = after(flow, Withdrawn(1))
    assert [send.items for send in sends(effects)] == [span(1, 200)]


def test_an_attempt_without_a_report_is_made_again_as_a_possible_duplicate() -> None:
    flow, _ = after(Flow(), Added(span(1, 5)), Begun(1))
    due = wakes_at(flow)
    assert due == T0 + REPORT_WITHIN
    _, effects = after(flow, Tick(), at=Timestamp(due))
    assert sends(effects) == [Send(2, span(1, 5), possible_duplicate=True)]


def test_a_late_report_of_a_repeated_attempt_changes_nothing() -> None:
    flow, _ = after(Flow(), Added(span(1, 5)), Begun(1))
    flow, _ = after(flow, Tick(), at=Timestamp(T0 + REPORT_WITHIN))
    again, effects = after(flow, Reported(1, span(1, 5)), at=Timestamp(T0 + REPORT_WITHIN))
    assert (again, effects) == (flow, [])


def test_a_reported_item_without_proof_is_sent_again() -> None:
    flow, _ = after(Flow(), Added(span(1, 1)), Reported(1, span(1, 1)))
    _, effects = after(flow, Tick(), at=Timestamp(T0 + PROOF_WITHIN))
    assert sends(effects) == [Send(2, span(1, 1), possible_duplicate=True)]


def test_a_failed_attempt_waits_and_is_tried_again_longer_each_time() -> None:
    flow, effects = after(Flow(), Added(span(1, 2)), Failed(1, CHANCES - 1))
    [wait] = [effect for effect in effects if isinstance(effect, Wait)]
    assert wait.due == T0 + SECOND // 2
    flow, effects = after(flow, Tick(), at=wait.due)
    assert sends(effects) == [Send(2, span(1, 2), possible_duplicate=True)]
    _, effects = after(flow, Failed(2, CHANCES - 1), at=wait.due)
    assert effects == [Wait(span(1, 2), None, Timestamp(wait.due + SECOND), 2)]


def test_a_refusal_for_now_waits_with_its_reason_and_one_for_good_is_parked() -> None:
    refused = (Refused(2, LATER), Refused(3, NEVER))
    flow, effects = after(Flow(), Added(span(1, 3)), Reported(1, span(1, 1), refused))
    assert Park(3, NEVER) in effects
    assert [e.refusal for e in effects if isinstance(e, Wait)] == [LATER]
    assert flow.parked == span(3, 3)
    assert [delayed.items for delayed in flow.later] == [span(2, 2)]


def test_what_was_parked_and_not_written_down_is_tried_again_later() -> None:
    flow, _ = after(Flow(), Added(span(3, 3)), Reported(1, EMPTY, (Refused(3, NEVER),)))
    flow, effects = after(flow, Unwritten(3, CHANCES - 1), Unwritten(4, 0))
    assert (flow.parked, effects) == (EMPTY, [])
    [delayed] = flow.later
    flow, effects = after(flow, Tick(), at=delayed.due)
    assert sends(effects) == [Send(2, span(3, 3), possible_duplicate=True)]
    flow, effects = after(flow, Reported(2, EMPTY, (Refused(3, NEVER),)), at=delayed.due)
    assert effects == [Park(3, NEVER)]


def test_a_parked_item_is_let_go_when_its_outcome_is_proven() -> None:
    flow, _ = after(Flow(), Added(span(3, 3)), Reported(1, EMPTY, (Refused(3, NEVER),)))
    flow, _ = after(flow, Ended(span(3, 3)))
    assert flow.parked == EMPTY


def test_what_an_operator_retries_is_sent_though_it_is_parked_or_waits() -> None:
    never = Refusal(Reason.PACKET_INVALID, "never", is_final=True)
    later = Refusal(Reason.BACKLOG_FULL, "later", is_final=False)
    flow, _ = after(Flow(), Added(span(1, 3)))
    flow, _ = after(flow, Reported(1, EMPTY, (Refused(1, never), Refused(2, later))))
    assert flow.parked == span(1, 1)
    flow, effects = after(flow, Again(span(1, 2)))
    assert sends(effects) == [Send(2, span(1, 2), possible_duplicate=True)]
    assert (flow.parked, [entry.items for entry in flow.later]) == (EMPTY, [span(3, 3)])


def test_a_retry_adds_what_the_flow_does_not_know_and_doubles_nothing() -> None:
    flow, _ = after(Flow(), Added(span(1, 2)))
    flow, effects = after(flow, Again(span(1, 4)))
    assert sends(effects) == [Send(2, span(3, 4), possible_duplicate=False)]


def test_items_that_a_report_leaves_out_are_tried_again() -> None:
    flow, effects = after(Flow(), Added(span(1, 4)), Reported(1, span(1, 2)))
    assert [e.items for e in effects if isinstance(e, Wait)] == [span(3, 4)]
    assert backlog(flow) == 2


def test_a_report_cannot_name_items_of_another_attempt() -> None:
    _, effects = after(Flow(window=1), Added(span(1, 300)), Reported(1, span(1, 300)))
    assert effects[1] == Done(span(1, BATCH))


def test_a_stopped_flow_sends_nothing_and_goes_on_afterwards() -> None:
    flow, effects = after(Flow(), Gate(is_stopped=True), Added(span(1, 2)))
    assert effects == []
    _, effects = after(flow, Gate(is_stopped=False))
    assert sends(effects) == [Send(1, span(1, 2), possible_duplicate=False)]


def test_in_order_the_next_attempt_waits_until_everything_before_it_has_ended() -> None:
    flow, effects = after(ORDERED, Added(span(1, 2) | span(4, 5)))
    assert [send.items for send in sends(effects)] == [span(1, 2)]
    flow, effects = after(flow, Reported(1, span(1, 2)))
    assert sends(effects) == []
    flow, effects = after(flow, Ended(span(1, 2)))
    # The third is missing: it may yet be shown.
    assert sends(effects) == []
    _, effects = after(flow, Lapsed(span(3, 3)))
    assert [send.items for send in sends(effects)] == [span(4, 5)]


def test_in_order_a_parked_item_holds_the_lane_until_it_has_ended() -> None:
    flow, effects = after(
        ORDERED,
        Added(span(1, 1)),
        Reported(1, EMPTY, (Refused(1, NEVER),)),
        Added(span(2, 2)),
    )
    assert len(sends(effects)) == 1
    _, effects = after(flow, Ended(span(1, 1)))
    assert [send.items for send in sends(effects)] == [span(2, 2)]


def test_a_flow_with_nothing_to_wait_for_does_not_wake() -> None:
    assert wakes_at(Flow()) is None


@pytest.mark.parametrize(
    "event",
    [
        Tick(),
        Ended(span(1, 9)),
        Lapsed(span(1, 9)),
        Failed(7, 0),
        Reported(7, EMPTY),
        Begun(7),
        Withdrawn(7),
        Unwritten(7, 0),
    ],
)
def test_events_about_nothing_known_change_nothing(event: Event) -> None:
    assert step(Flow(), event, T0) == (Flow(), [])


class FlowMachine(RuleBasedStateMachine):
    """Nothing is lost: every item is in exactly one place until its outcome is proven."""

    @initialize(in_order=st.booleans())
    def begin(self, *, in_order: bool) -> None:
        self.flow = ORDERED if in_order else Flow(window=3, full_window=5)
        self.now = T0
        self.added: set[int] = set()
        self.ended: set[int] = set()
        self.sent: dict[int, RangeSet] = {}

    def feed(self, event: Event) -> None:
        self.flow, effects = step(self.flow, event, self.now)
        for send in sends(effects):
            assert len(send.items) <= BATCH
            assert not set(send.items) & self.ended
            self.sent[send.number] = send.items

    @rule(first=st.integers(1, 40), count=st.integers(1, 9))
    def add(self, first: int, count: int) -> None:
        new = set(range(first, first + count)) - self.ended
        self.added |= new
        self.feed(Added(RangeSet.of(new)))

    @rule(items=st.sets(st.integers(1, 50)))
    def end(self, items: set[int]) -> None:
        # Only in order it is remembered of what is not known yet.
        self.ended |= items & self.added if self.flow.order is Order.UNORDERED else items
        self.feed(Ended(RangeSet.of(items)))

    @rule(items=st.sets(st.integers(1, 50)))
    def lapse(self, items: set[int]) -> None:
        lapsed = items & self.added
        self.ended |= lapsed
        self.feed(Lapsed(RangeSet.of(lapsed)))

    @rule(pick=st.integers(0, 9), share=st.integers(0, 3), final=st.booleans())
    def report(self, pick: int, share: int, *, final: bool) -> None:
        number = self.pick(pick)
        items = list(self.sent.get(number, EMPTY))
        cut = len(items) * share // 3
        refusal = NEVER if final else LATER
        refused = tuple(Refused(item, refusal) for item in items[cut:][:1])
        self.feed(Reported(number, RangeSet.of(items[:cut]), refused, chance=pick))

    @rule(pick=st.integers(0, 9))
    def fail(self, pick: int) -> None:
        self.feed(Failed(self.pick(pick), pick))

    @rule(pick=st.integers(0, 9), withdraws=st.booleans())
    def begin_or_withdraw(self, pick: int, *, withdraws: bool) -> None:
        number = self.pick(pick)
        self.feed(Withdrawn(number) if withdraws else Begun(number))

    @rule(pick=st.integers(0, 9))
    def lose_why(self, pick: int) -> None:
        parked = list(self.flow.parked)
        self.feed(Unwritten(parked[pick % len(parked)] if parked else 1, pick))

    @rule(is_stopped=st.booleans())
    def gate(self, *, is_stopped: bool) -> None:
        self.feed(Gate(is_stopped=is_stopped))

    @rule(seconds=st.integers(0, 70))
    def wait(self, seconds: int) -> None:
        self.now = Timestamp(self.now + seconds * SECOND)
        self.feed(Tick())

    def pick(self, number: int) -> int:
        numbers = sorted(self.sent)
        return numbers[number % len(numbers)] if numbers else 1

    @invariant()
    def every_item_is_in_exactly_one_place(self) -> None:
        if not hasattr(self, "flow"):
            return
        flow = self.flow
        places = [flow.pending, flow.parked]
        places += [attempt.items for attempt in flow.in_flight]
        places += [delayed.items for delayed in (*flow.awaiting, *flow.later)]
        counts = Counter(item for place in places for item in place)
        assert set(counts) == self.added - self.ended
        assert all(count == 1 for count in counts.values())
        assert len(flow.in_flight) <= max(flow.window, flow.full_window)


TestFlowMachine = FlowMachine.TestCase
TestFlowMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_what_is_open_again_is_sent_as_a_possible_duplicate() -> None:
    flow, _ = after(Flow(), Added(span(1, 3)), Reported(1, span(1, 3)), Ended(span(1, 3)))
    flow, effects = after(flow, Reopened(span(2, 2)))
    assert sends(effects) == [Send(2, span(2, 2), possible_duplicate=True)]
    _, effects = after(flow, Reopened(span(2, 2)))
    assert effects == [], "it is under way"


def test_what_is_open_again_for_good_is_parked_until_somebody_asks() -> None:
    flow, effects = after(Flow(), Reopened(span(2, 3), NEVER))
    assert effects == [Park(2, NEVER), Park(3, NEVER)]
    assert (flow.parked, sends(effects)) == (span(2, 3), [])
    _, effects = after(flow, Again(span(2, 2)))
    assert sends(effects) == [Send(1, span(2, 2), possible_duplicate=True)]


def test_what_is_open_again_waits_while_the_lane_is_stopped() -> None:
    flow, effects = after(Flow(), Gate(is_stopped=True), Reopened(span(1, 1)))
    assert effects == []
    _, effects = after(flow, Gate(is_stopped=False))
    assert sends(effects) == [Send(1, span(1, 1), possible_duplicate=True)]
