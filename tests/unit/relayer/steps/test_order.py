from __future__ import annotations

import pytest

from hub.core.errors import Reason
from hub.core.lane import Order
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import Refusal
from hub.core.time import SECOND, Timestamp
from relayer.steps.events import (
    Added,
    Done,
    Effect,
    Ended,
    Event,
    Failed,
    Lapsed,
    Park,
    Refused,
    Reported,
    Send,
    Tick,
)
from relayer.steps.flow import PROOF_WITHIN, Flow, step
from relayer.steps.order import dealt_with, head, in_turn

T0 = Timestamp(1_000 * SECOND)
NEVER = Refusal(Reason.PACKET_UNSUPPORTED, "no such packet", is_final=True)
LATE = Refusal(Reason.TIMEOUT_ELAPSED, "too late", is_final=True)
NOT_NEXT = Refusal(Reason.SEQUENCE_OUT_OF_ORDER, "another is next", is_final=False)
BEST_EFFORT = Flow(window=1, order=Order.BEST_EFFORT, first=3)
ENFORCED = Flow(window=1, order=Order.ENFORCED, first=3)
BOTH = pytest.mark.parametrize("flow", [BEST_EFFORT, ENFORCED], ids=["best effort", "enforced"])


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


@BOTH
def test_a_lane_begins_with_its_first_item(flow: Flow) -> None:
    flow, effects = after(flow, Added(span(4, 5)))
    assert (sends(effects), head(flow)) == ([], 3)
    _, effects = after(flow, Added(span(3, 3)))
    assert [send.items for send in sends(effects)] == [span(3, 5)]


@BOTH
def test_what_ended_before_is_not_waited_for(flow: Flow) -> None:
    flow, effects = after(flow, Ended(span(3, 9)), Added(span(8, 12)))
    assert [send.items for send in sends(effects)] == [span(10, 12)]
    assert head(flow) == 10


@BOTH
def test_nothing_is_sent_while_an_attempt_is_under_way(flow: Flow) -> None:
    flow, effects = after(flow, Added(span(3, 4)), Added(span(5, 6)))
    assert [send.items for send in sends(effects)] == [span(3, 4)]
    assert in_turn(flow, flow.pending) == EMPTY


def test_best_effort_waits_for_the_proof_of_what_is_reported() -> None:
    flow, effects = after(BEST_EFFORT, Added(span(3, 4)), Added(span(5, 6)))
    flow, effects = after(flow, Reported(1, span(3, 4)))
    assert sends(effects) == []
    _, effects = after(flow, Ended(span(3, 4)))
    assert [send.items for send in sends(effects)] == [span(5, 6)]


def test_a_gateway_that_enforces_order_needs_no_proof_first() -> None:
    flow, effects = after(ENFORCED, Added(span(3, 4)), Added(span(5, 6)))
    _, effects = after(flow, Reported(1, span(3, 4)))
    assert Done(span(3, 4)) in effects
    assert [send.items for send in sends(effects)] == [span(5, 6)]


def test_best_effort_forgets_what_lapsed() -> None:
    _flow, effects = after(BEST_EFFORT, Added(span(4, 5)), Lapsed(span(3, 3)))
    assert [(send.items, send.lapsed) for send in sends(effects)] == [(span(4, 5), EMPTY)]


def test_what_lapsed_is_sent_in_its_turn_to_be_passed_over() -> None:
    flow, effects = after(ENFORCED, Added(span(4, 5)), Lapsed(span(3, 3)))
    assert sends(effects) == [Send(1, span(3, 5), possible_duplicate=False, lapsed=span(3, 3))]
    flow, effects = after(flow, Reported(1, span(4, 5), (Refused(3, LATE),)))
    # Only what is not recorded as ended awaits its proof.
    assert effects == [Done(span(4, 5))]
    assert (flow.lapsed, head(flow)) == (EMPTY, 6)
    assert [delayed.items for delayed in flow.awaiting] == [span(4, 5)]


def test_what_lapses_out_of_its_turn_waits_for_it() -> None:
    flow, effects = after(ENFORCED, Added(span(5, 5)), Lapsed(span(4, 4)))
    assert sends(effects) == []
    # The registry tells again of all that has ended: it has yet to be passed over.
    flow, effects = after(flow, Ended(span(4, 4)), Ended(span(3, 3)))
    assert [(send.items, send.lapsed) for send in sends(effects)] == [(span(4, 5), span(4, 4))]


def test_a_packet_that_the_gateway_passed_over_by_itself_is_not_shown_again() -> None:
    flow, effects = after(ENFORCED, Added(span(3, 3)), Reported(1, EMPTY, (Refused(3, LATE),)))
    assert not [one for one in effects if isinstance(one, Park | Done)]
    assert head(flow) == 4
    flow, effects = after(flow, Lapsed(span(3, 3)))
    assert (effects, flow.lapsed, head(flow)) == ([], EMPTY, 4)


def test_what_is_refused_for_good_is_parked_until_it_lapses_and_then_tried_again() -> None:
    flow, effects = after(ENFORCED, Added(span(3, 3)), Reported(1, EMPTY, (Refused(3, NEVER),)))
    assert [one.item for one in effects if isinstance(one, Park)] == [3]
    flow, effects = after(flow, Lapsed(span(3, 3)))
    assert [send.lapsed for send in sends(effects)] == [span(3, 3)]
    flow, effects = after(flow, Reported(2, EMPTY, (Refused(3, NEVER),)))
    assert not [one for one in effects if isinstance(one, Park)]
    assert [delayed.items for delayed in flow.later] == [span(3, 3)]


def test_what_lapses_on_its_way_is_passed_over_by_that_attempt() -> None:
    flow, effects = after(ENFORCED, Added(span(3, 4)), Lapsed(span(3, 3)))
    assert len(sends(effects)) == 1
    flow, effects = after(flow, Reported(1, span(4, 4), (Refused(3, LATE),)))
    assert (sends(effects), head(flow)) == ([], 5)


def test_an_attempt_that_fails_is_made_again_with_what_lapsed() -> None:
    flow, effects = after(ENFORCED, Added(span(3, 4)), Failed(1, 0))
    flow, effects = after(flow, Lapsed(span(3, 3)), at=Timestamp(T0 + 60 * SECOND))
    assert [(send.items, send.lapsed) for send in sends(effects)] == [(span(3, 4), span(3, 3))]


class TestRewound:
    """A gateway that waits for something before what it was sent."""

    def test_what_ended_and_was_not_passed_over_is_shown(self) -> None:
        flow, _ = after(ENFORCED, Ended(span(3, 6)), Added(span(7, 8)))
        refused = (Refused(7, NOT_NEXT), Refused(8, NOT_NEXT))
        flow, effects = after(flow, Reported(1, EMPTY, refused, 0, next_item=5))
        assert [(send.items, send.lapsed) for send in sends(effects)] == [(span(5, 6), span(5, 6))]
        later = Timestamp(T0 + 60 * SECOND)
        _, effects = after(flow, Reported(2, span(5, 6)), Tick(), at=later)
        assert [send.items for send in sends(effects)] == [span(7, 8)]

    def test_what_was_said_to_be_executed_and_was_not_is_sent_again(self) -> None:
        flow, _ = after(ENFORCED, Added(span(3, 4)), Reported(1, span(3, 4)), Added(span(5, 5)))
        refused = (Refused(5, NOT_NEXT),)
        flow, effects = after(flow, Reported(2, EMPTY, refused, 0, next_item=4))
        assert sends(effects) == [Send(3, span(4, 4), possible_duplicate=True)]
        assert [delayed.items for delayed in flow.awaiting] == [span(3, 3)]

    def test_what_is_before_it_is_passed_over(self) -> None:
        flow, _effects = after(ENFORCED, Added(span(3, 4)), Lapsed(span(3, 3)))
        refused = (Refused(3, NOT_NEXT), Refused(4, NOT_NEXT))
        flow, _ = after(flow, Reported(1, EMPTY, refused, 0, next_item=4))
        assert (flow.lapsed, head(flow)) == (EMPTY, 4)
        assert [delayed.items for delayed in flow.later] == [span(4, 4)]

    def test_what_lapsed_before_it_and_waits_is_let_go(self) -> None:
        flow, _ = after(ENFORCED, Lapsed(span(3, 3)), Failed(1, 0), Added(span(4, 4)))
        assert [delayed.items for delayed in flow.later] == [span(3, 3)]
        flow, effects = after(flow, Tick(), at=Timestamp(T0 + 60 * SECOND))
        assert [send.items for send in sends(effects)] == [span(3, 4)]


@pytest.mark.parametrize(
    ("report", "dealt"),
    [
        (Reported(1, span(3, 4)), span(3, 4)),
        (Reported(1, span(3, 9)), span(3, 6)),
        (Reported(1, EMPTY, (Refused(5, LATE), Refused(6, NEVER))), span(5, 5)),
        (Reported(1, EMPTY, (Refused(3, NOT_NEXT),), 0, next_item=5), span(3, 4)),
        (Reported(1, EMPTY), EMPTY),
    ],
)
def test_what_the_destination_takes_no_other_time_is_dealt_with(
    report: Reported, dealt: RangeSet
) -> None:
    assert dealt_with(report, span(3, 6)) == dealt


def test_what_is_said_to_be_passed_over_and_is_never_proven_is_sent_again() -> None:
    flow, _ = after(ENFORCED, Added(span(3, 3)), Reported(1, EMPTY, (Refused(3, LATE),)))
    _, effects = after(flow, Tick(), at=Timestamp(T0 + PROOF_WITHIN))
    assert [send.items for send in sends(effects)] == [span(3, 3)]
