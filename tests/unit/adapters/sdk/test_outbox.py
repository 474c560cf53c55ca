from __future__ import annotations

import pytest

from adapters.sdk import outbox as module
from adapters.sdk.outbox import BATCH, Outbox
from adapters.sdk.steps import Record, Wait
from adapters.sdk.submission import LaneCursor, Refusal, Verdict
from hub.core.errors import LimitExceeded
from hub.core.ids import ClientId
from hub.core.lane import LaneKey, Side
from hub.core.ranges import RangeSet
from hub.core.time import Timestamp
from tests.harness.city import BACK, CLIENT, OUT

NOW = Timestamp(1_000_000_000)
CHANCE = 1 << 15
OTHER_CLIENT = ClientId("07-tendermint-1")
OTHER = LaneKey(OUT.source_peer, OTHER_CLIENT, OUT.destination_peer, OUT.destination_client)


def cursor(lane: LaneKey = OUT, side: Side = Side.SOURCE) -> LaneCursor:
    return LaneCursor(lane=lane, side=side, first_sequence=1, done=RangeSet())


def outbox_of(*lanes: LaneKey, room: int = 1000) -> Outbox:
    outbox = Outbox(room)
    for lane in lanes:
        outbox.tell(cursor(lane), NOW)
    return outbox


def take(outbox: Outbox, now: Timestamp = NOW) -> LaneKey | None:
    turn = outbox.take(now)
    return turn.lane.key if turn else None


def paused(frame_id: int) -> Verdict:
    refusal = Refusal(sequence=0, reason="LANE_PAUSED", detail="", retryable=True)
    return Verdict(frame_id=frame_id, refused=(refusal,))


def test_lanes_take_turns_and_stand_in_line_once() -> None:
    outbox = outbox_of(OUT, OTHER)
    outbox.wake(None)
    turn = outbox.take(NOW)
    assert turn is not None
    assert (turn.lane.key, turn.limit) == (OUT, BATCH)
    outbox.put_back(turn.lane)
    assert [take(outbox), take(outbox), take(outbox)] == [OTHER, OUT, None]


def test_only_the_lanes_of_active_clients_wake() -> None:
    outbox = outbox_of(OUT, OTHER)
    outbox.tell(cursor(BACK, Side.DESTINATION), NOW)
    assert [take(outbox) for _ in range(4)] == [OUT, OTHER, BACK, None]
    outbox.wake(frozenset({CLIENT, ClientId("07-tendermint-99")}))
    assert [take(outbox) for _ in range(3)] == [OUT, BACK, None]


def test_both_lanes_of_a_client_are_known_by_it() -> None:
    outbox = outbox_of(OUT)
    outbox.tell(cursor(BACK, Side.DESTINATION), NOW)
    assert [lane.side for lane in outbox.lanes_of(CLIENT)] == [Side.SOURCE, Side.DESTINATION]
    assert outbox.lanes_of(OTHER_CLIENT) == []


def test_what_is_sent_takes_room_until_its_verdict() -> None:
    outbox = outbox_of(OUT, room=10)
    turn = outbox.take(NOW)
    assert turn is not None
    assert turn.limit == 10
    outbox.sent(1, turn.lane, RangeSet.span(1, 11), NOW)
    assert outbox.room == 0
    assert not outbox.is_idle
    outbox.put_back(turn.lane)
    assert take(outbox) is None
    judged = outbox.judge(Verdict(frame_id=1, accepted=RangeSet.span(1, 11)), CHANCE, NOW)
    assert judged is not None
    assert judged[1] == [Record(RangeSet.span(1, 11))]
    assert (outbox.room, outbox.is_idle) == (10, True)
    assert take(outbox) == OUT


def test_credits_granted_are_room() -> None:
    outbox = outbox_of(OUT, room=0)
    assert take(outbox) is None
    outbox.grant(5)
    turn = outbox.take(NOW)
    assert turn is not None
    assert turn.limit == 5


def test_a_frame_of_no_lane_gives_its_room_back() -> None:
    outbox = outbox_of(room=10)
    outbox.charge(7, 4)
    assert outbox.room == 6
    assert outbox.judge(Verdict(frame_id=7), CHANCE, NOW) is None
    assert outbox.room == 10


@pytest.mark.parametrize("times", [1, 2])
def test_a_verdict_that_comes_twice_or_for_nothing_gives_no_room(times: int) -> None:
    outbox = outbox_of(OUT, room=10)
    turn = outbox.take(NOW)
    assert turn is not None
    outbox.sent(1, turn.lane, RangeSet.span(1, 4), NOW)
    for _ in range(times):
        outbox.judge(Verdict(frame_id=1, accepted=RangeSet.span(1, 4)), CHANCE, NOW)
    outbox.judge(Verdict(frame_id=99), CHANCE, NOW)
    assert outbox.room == 10


def test_a_held_lane_wakes_by_its_alarm() -> None:
    outbox = outbox_of(OUT)
    turn = outbox.take(NOW)
    assert turn is not None
    outbox.sent(1, turn.lane, RangeSet.span(1, 4), NOW)
    judged = outbox.judge(paused(1), CHANCE, NOW)
    assert judged is not None
    [effect] = judged[1]
    assert isinstance(effect, Wait)
    assert outbox.wakes_at == effect.due
    assert take(outbox, Timestamp(effect.due - 1)) is None
    assert take(outbox, effect.due) == OUT
    assert outbox.wakes_at is None


def test_what_is_asked_again_wakes_its_lane() -> None:
    outbox = outbox_of()
    outbox.tell(cursor(BACK, Side.DESTINATION), NOW)
    assert take(outbox) == BACK
    outbox.ask_again(CLIENT, 4, Side.SOURCE, NOW)
    assert take(outbox) is None
    outbox.ask_again(CLIENT, 4, Side.DESTINATION, NOW)
    assert take(outbox) == BACK
    outbox.ask_again(OTHER_CLIENT, 4, Side.DESTINATION, NOW)
    assert take(outbox) is None


def test_lanes_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LANES", 1)
    outbox = outbox_of(OUT)
    outbox.tell(cursor(), NOW)
    with pytest.raises(LimitExceeded):
        outbox.tell(cursor(OTHER), NOW)


def test_a_cursor_told_again_keeps_what_is_in_flight() -> None:
    outbox = outbox_of(OUT)
    turn = outbox.take(NOW)
    assert turn is not None
    outbox.sent(1, turn.lane, RangeSet.span(1, 4), NOW)
    outbox.tell(cursor(), NOW)
    turn = outbox.take(NOW)
    assert turn is not None
    assert turn.wanted.first == 4
    assert len(outbox.lanes_of(CLIENT)) == 1
