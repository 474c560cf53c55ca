from __future__ import annotations

from itertools import product

import pytest

from hub.core.lane import LaneKey
from hub.core.lifecycle import PacketState
from hub.core.record import OutcomeKind
from hub.core.standing import PacketStanding, state_of

S = PacketState


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ((None, False, False, False), S.ACCEPTED),
        ((None, False, False, True), S.DENIED),
        ((None, False, True, True), S.DENIED),
        ((None, False, True, False), S.DELIVERED),
        ((OutcomeKind.ACKNOWLEDGEMENT, False, True, False), S.ACKNOWLEDGED),
        ((OutcomeKind.ACKNOWLEDGEMENT, False, False, False), S.ACKNOWLEDGED),
        ((OutcomeKind.ACKNOWLEDGEMENT, False, True, True), S.ACKNOWLEDGED),
        ((OutcomeKind.ACKNOWLEDGEMENT, True, True, False), S.COMPLETED),
        ((OutcomeKind.ABSENCE, False, False, False), S.TIMED_OUT),
        ((OutcomeKind.ABSENCE, False, True, False), S.TIMED_OUT),
        ((OutcomeKind.ABSENCE, True, False, True), S.REFUNDED),
        ((OutcomeKind.SETTLED_ELSEWHERE, False, False, False), S.SETTLED_ELSEWHERE),
    ],
)
def test_the_state_follows_from_the_facts(
    facts: tuple[OutcomeKind | None, bool, bool, bool], state: PacketState
) -> None:
    outcome, executed, delivered, denied = facts
    found = state_of(outcome=outcome, executed=executed, delivered=delivered, denied=denied)
    assert found is state


def test_every_combination_of_facts_has_a_state_and_every_state_is_reached() -> None:
    reached = {
        state_of(outcome=outcome, executed=executed, delivered=delivered, denied=denied)
        for outcome, executed, delivered, denied in product(
            (None, *OutcomeKind), (False, True), (False, True), (False, True)
        )
    }
    assert reached == set(PacketState)


def test_a_packet_is_named_by_its_lane_and_sequence() -> None:
    standing = PacketStanding(
        lane=LaneKey.parse("hangzhou~07-tendermint-2~wuxi~besu-qbft-0"),
        sequence=7,
        stored=None,
        state=S.SETTLED_ELSEWHERE,
        proof_height=0,
        outcome=None,
        outcome_height=0,
        exception=None,
    )
    assert standing.name == "lanes/hangzhou~07-tendermint-2~wuxi~besu-qbft-0/packets/7"
