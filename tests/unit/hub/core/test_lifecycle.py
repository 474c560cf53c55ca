from __future__ import annotations

from itertools import product

import pytest

from hub.core.errors import IllegalMove
from hub.core.lifecycle import INITIAL, MOVES, TERMINAL, PacketEvent, PacketState, move

S, E = PacketState, PacketEvent

TABLE = {
    #                DELIVER      ACKNOWLEDGE     COMPLETE     TIME_OUT     REFUND      REOPEN
    S.ACCEPTED: (S.DELIVERED, S.ACKNOWLEDGED, None, S.TIMED_OUT, None, None),
    S.DENIED: (None, S.ACKNOWLEDGED, None, S.TIMED_OUT, None, None),
    S.DELIVERED: (None, S.ACKNOWLEDGED, None, S.TIMED_OUT, None, None),
    S.ACKNOWLEDGED: (None, None, S.COMPLETED, None, None, None),
    S.COMPLETED: (None, None, None, None, None, S.ACKNOWLEDGED),
    S.TIMED_OUT: (None, None, None, None, S.REFUNDED, None),
    S.REFUNDED: (None, None, None, None, None, S.TIMED_OUT),
    S.SETTLED_ELSEWHERE: (None, None, None, None, None, None),
}
"""Design section 3, written down a second time."""

COLUMNS = (E.DELIVER, E.ACKNOWLEDGE, E.COMPLETE, E.TIME_OUT, E.REFUND, E.REOPEN)


def test_the_table_has_every_state_and_every_event() -> None:
    assert set(TABLE) == set(PacketState)
    assert set(COLUMNS) == set(PacketEvent)


@pytest.mark.parametrize(("state", "event"), list(product(PacketState, PacketEvent)))
def test_every_state_answers_every_event_as_the_design_says(
    state: PacketState, event: PacketEvent
) -> None:
    after = TABLE[state][COLUMNS.index(event)]
    if after is not None:
        assert move(state, event) is after
        return
    with pytest.raises(IllegalMove) as caught:
        move(state, event)
    assert (caught.value.state, caught.value.event) == (state, event)


def _reachable(start: PacketState, moves: set[PacketEvent]) -> set[PacketState]:
    found, new = {start}, {start}
    while new:
        new = {MOVES[at, event] for at, event in MOVES if at in new and event in moves} - found
        found |= new
    return found


@pytest.mark.parametrize("start", sorted(INITIAL))
def test_a_packet_is_executed_or_refunded_and_never_both(start: PacketState) -> None:
    """Once an outcome is proven, the other one cannot be reached by any moves, audits included."""
    events = set(PacketEvent)
    for state in _reachable(start, events):
        after = _reachable(state, events)
        if state in {S.ACKNOWLEDGED, S.COMPLETED}:
            assert not after & {S.TIMED_OUT, S.REFUNDED}
        if state in {S.TIMED_OUT, S.REFUNDED}:
            assert not after & {S.ACKNOWLEDGED, S.COMPLETED, S.DELIVERED}


def test_every_state_begins_or_can_be_reached_and_can_end() -> None:
    reached = set().union(*(_reachable(start, set(PacketEvent)) for start in INITIAL))
    assert reached == set(PacketState)
    for state in PacketState:
        assert _reachable(state, set(PacketEvent)) & TERMINAL


def test_only_an_audit_leaves_a_terminal_state() -> None:
    left_by = {event for state, event in MOVES if state in TERMINAL}
    assert left_by == {E.REOPEN}


def test_a_denied_packet_is_never_delivered_by_the_hub() -> None:
    assert S.DELIVERED not in _reachable(S.DENIED, set(PacketEvent))


def test_a_timeout_is_legal_from_every_state_without_an_outcome() -> None:
    open_states = {S.ACCEPTED, S.DENIED, S.DELIVERED}
    assert {state for state, event in MOVES if event is E.TIME_OUT} == open_states
