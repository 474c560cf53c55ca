from __future__ import annotations

import pytest

from adapters.sdk.backoff import LONGEST, delay
from adapters.sdk.steps import (
    UNEXPLAINED,
    AskedAgain,
    GiveUp,
    Judged,
    Lane,
    Record,
    Sent,
    Told,
    Wait,
    opened,
    step,
    wanted,
)
from adapters.sdk.submission import NOTHING, LaneCursor, Refusal, Verdict
from hub.core.lane import Side
from hub.core.packet import MAX_SEQUENCE
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import MILLISECOND, Duration, Timestamp
from tests.harness.city import CLIENT, OUT

NOW = Timestamp(1_000_000_000_000)
CHANCE = 1 << 15


def lane_of(done: RangeSet = EMPTY, first: int = 1, side: Side = Side.SOURCE) -> Lane:
    return opened(LaneCursor(lane=OUT, side=side, first_sequence=first, done=done))


def span(first: int, last: int) -> RangeSet:
    return RangeSet.span(first, last + 1)


def sent(lane: Lane, frame_id: int, sequences: RangeSet) -> Lane:
    lane, effects = step(lane, Sent(frame_id, sequences), NOW)
    assert effects == []
    return lane


def refusal(sequence: int = 0, *, retryable: bool = True, wait: Duration = NOTHING) -> Refusal:
    return Refusal(
        sequence=sequence, reason="LANE_PAUSED", detail="", retryable=retryable, wait=wait
    )


def test_a_lane_wants_everything_from_its_first_sequence_that_is_not_done() -> None:
    lane = lane_of(span(5, 9) | span(12, 12), first=4)
    assert wanted(lane, NOW) == span(4, 4) | span(10, 11) | span(13, MAX_SEQUENCE)


@pytest.mark.parametrize(
    ("side", "client"), [(Side.SOURCE, CLIENT), (Side.DESTINATION, OUT.destination_client)]
)
def test_the_client_of_a_lane_is_its_own_end(side: Side, client: str) -> None:
    assert lane_of(side=side).client == client


def test_what_is_in_flight_is_not_wanted() -> None:
    lane = sent(sent(lane_of(), 1, span(1, 256)), 2, span(257, 300))
    assert wanted(lane, NOW) == span(301, MAX_SEQUENCE)


def test_what_is_accepted_or_was_before_is_done_and_noted() -> None:
    lane = sent(lane_of(), 1, span(1, 9))
    verdict = Verdict(frame_id=1, accepted=span(1, 4), already_done=span(5, 9))
    lane, effects = step(lane, Judged(verdict, CHANCE), NOW)
    assert effects == [Record(span(1, 9))]
    assert lane.done == span(1, 9)
    assert lane.in_flight == ()


def test_a_verdict_counts_for_what_its_frame_held_alone() -> None:
    lane = sent(lane_of(), 1, span(1, 9))
    lane, effects = step(lane, Judged(Verdict(frame_id=1, accepted=span(1, 50)), CHANCE), NOW)
    assert effects == [Record(span(1, 9))]
    assert lane.done == span(1, 9)


def test_a_verdict_on_an_unknown_frame_changes_nothing() -> None:
    lane = sent(lane_of(), 1, span(1, 9))
    assert step(lane, Judged(Verdict(frame_id=2), CHANCE), NOW) == (lane, [])


def test_an_item_refused_for_good_is_given_up_and_stops_no_other() -> None:
    lane = sent(lane_of(), 1, span(1, 9))
    bad = refusal(4, retryable=False)
    verdict = Verdict(frame_id=1, accepted=span(1, 3) | span(5, 9), refused=(bad,))
    lane, effects = step(lane, Judged(verdict, CHANCE), NOW)
    assert effects == [Record(span(1, 3) | span(5, 9)), GiveUp(span(4, 4), bad)]
    assert wanted(lane, NOW) == span(10, MAX_SEQUENCE)


def test_an_item_refused_for_now_comes_again_after_its_delay_and_later_each_time() -> None:
    lane = lane_of()
    now = NOW
    for tries in (1, 2, 3):
        lane = sent(lane, tries, span(4, 4))
        assert 4 not in wanted(lane, now)
        verdict = Verdict(frame_id=tries, refused=(refusal(4),))
        lane, [effect] = step(lane, Judged(verdict, CHANCE), now)
        due = Timestamp(now + delay(tries, CHANCE))
        assert effect == Wait(due, refusal(4))
        assert 4 not in wanted(lane, Timestamp(due - 1))
        assert 4 in wanted(lane, due)
        assert 5 in wanted(lane, now), "others are not held"
        now = due


def test_items_refused_alike_wait_and_are_told_together() -> None:
    lane = sent(lane_of(), 1, span(1, 9))
    later = [refusal(number) for number in (2, 3, 7)]
    never = [refusal(number, retryable=False) for number in (3, 4, 9)]
    verdict = Verdict(frame_id=1, accepted=span(1, 1), refused=(*later, *never))
    lane, effects = step(lane, Judged(verdict, CHANCE), NOW)
    due = Timestamp(NOW + delay(1, CHANCE))
    assert effects[1:3] == [Wait(due, later[0]), GiveUp(RangeSet.of([4, 9]), never[1])]
    assert [entry.sequences for entry in lane.later] == [RangeSet.of([2, 3, 7])]
    assert lane.given_up == RangeSet.of([4, 9])


def test_a_frame_refused_as_a_whole_holds_its_lane() -> None:
    lane = sent(lane_of(), 1, span(1, 9))
    lane, [effect] = step(lane, Judged(Verdict(frame_id=1, refused=(refusal(),)), CHANCE), NOW)
    due = Timestamp(NOW + delay(1, CHANCE))
    assert effect == Wait(due, refusal())
    assert wanted(lane, NOW) == EMPTY
    assert wanted(lane, due) == span(1, MAX_SEQUENCE)


def test_frames_of_one_burst_fail_once_together() -> None:
    lane = lane_of()
    for frame_id in range(1, 33):
        lane = sent(lane, frame_id, span(frame_id, frame_id))
    for frame_id in range(1, 33):
        verdict = Verdict(frame_id=frame_id, refused=(refusal(),))
        lane, _ = step(lane, Judged(verdict, CHANCE), NOW)
    assert lane.tries == 1
    assert lane.held_until == NOW + delay(1, CHANCE)


def test_a_failing_lane_asks_with_one_frame_at_a_time_until_it_goes_on() -> None:
    lane = sent(lane_of(), 1, span(1, 9))
    lane, _ = step(lane, Judged(Verdict(frame_id=1, refused=(refusal(),)), CHANCE), NOW)
    later = lane.held_until
    lane, _ = step(lane, Sent(2, span(1, 9)), later)
    assert wanted(lane, later) == EMPTY
    lane, _ = step(lane, Judged(Verdict(frame_id=2, accepted=span(1, 9)), CHANCE), later)
    assert lane.tries == 0
    assert wanted(lane, later) == span(10, MAX_SEQUENCE)


def test_a_frame_refused_as_a_whole_for_good_is_given_up() -> None:
    lane = sent(lane_of(), 1, span(1, 9))
    whole = refusal(retryable=False)
    lane, effects = step(lane, Judged(Verdict(frame_id=1, refused=(whole,)), CHANCE), NOW)
    assert effects == [GiveUp(span(1, 9), whole)]
    assert wanted(lane, NOW) == span(10, MAX_SEQUENCE)


def test_items_that_a_verdict_leaves_out_are_shown_again() -> None:
    lane = sent(lane_of(), 1, span(1, 9))
    lane, effects = step(lane, Judged(Verdict(frame_id=1, accepted=span(1, 8)), CHANCE), NOW)
    assert [type(effect) for effect in effects] == [Record, Wait]
    assert isinstance(effects[1], Wait)
    assert effects[1].refusal.reason == UNEXPLAINED
    assert 9 in wanted(lane, effects[1].due)


def test_being_asked_again_opens_the_way_for_what_was_given_up_or_delayed() -> None:
    lane = sent(lane_of(), 1, span(1, 2))
    verdict = Verdict(frame_id=1, refused=(refusal(1, retryable=False), refusal(2)))
    lane, _ = step(lane, Judged(verdict, CHANCE), NOW)
    for sequence in (1, 2):
        assert sequence not in wanted(lane, NOW)
        lane, effects = step(lane, AskedAgain(sequence), NOW)
        assert effects == []
        assert sequence in wanted(lane, NOW)


def test_a_cursor_that_comes_again_ends_a_hold_and_never_forgets_what_is_done() -> None:
    lane = sent(lane_of(span(1, 3)), 1, span(4, 9))
    lane, _ = step(lane, Judged(Verdict(frame_id=1, refused=(refusal(),)), CHANCE), NOW)
    cursor = LaneCursor(lane=OUT, side=Side.SOURCE, first_sequence=1, done=span(4, 5))
    lane, _ = step(lane, Told(cursor), NOW)
    assert wanted(lane, NOW) == span(6, MAX_SEQUENCE)


def test_delays_double_are_jittered_over_their_whole_span_and_end_at_the_longest() -> None:
    assert delay(1, 0) > 0
    assert [delay(tries, (1 << 16) - 1) for tries in (1, 2, 3)] == [250e6, 500e6, 1000e6]
    assert delay(60, (1 << 16) - 1) == LONGEST


def test_an_item_that_must_wait_is_wanted_again_after_exactly_that_time() -> None:
    lane = sent(lane_of(), 1, span(1, 9))
    soon, later = Duration(100 * MILLISECOND), Duration(300 * MILLISECOND)
    refused = [refusal(7, wait=soon), refusal(8, wait=later), refusal(9, wait=later)]
    verdict = Verdict(frame_id=1, accepted=span(1, 6), refused=tuple(refused))
    lane, effects = step(lane, Judged(verdict, CHANCE), NOW)
    waits = [effect.due for effect in effects if isinstance(effect, Wait)]
    assert waits == [NOW + soon, NOW + later]
    assert wanted(lane, Timestamp(NOW + soon - 1)) == span(10, MAX_SEQUENCE)
    assert wanted(lane, Timestamp(NOW + soon)) == span(7, 7) | span(10, MAX_SEQUENCE)
    assert wanted(lane, Timestamp(NOW + later)) == span(7, MAX_SEQUENCE)


def test_that_it_must_wait_is_no_failed_try() -> None:
    lane, wait = lane_of(), Duration(20_000 * MILLISECOND)
    for frame_id in (1, 2, 3):
        lane = sent(lane, frame_id, span(1, 9))
        verdict = Verdict(frame_id=frame_id, refused=(refusal(wait=wait),))
        lane, effects = step(lane, Judged(verdict, CHANCE), NOW)
        assert effects == [Wait(Timestamp(NOW + wait), verdict.refused[0])]
        assert lane.tries == 0
        assert wanted(lane, Timestamp(NOW + wait - 1)) == EMPTY
        assert wanted(lane, Timestamp(NOW + wait)) == span(1, MAX_SEQUENCE)
