from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import (
    ClientFrozen,
    ConsensusStateMissing,
    GateChanged,
    IllegalMove,
    LaneNotOpen,
    OutcomeDiffers,
    PacketNotFound,
    PeerSuspended,
)
from hub.core.height import Height
from hub.core.lane import LaneState
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import NewOutcome, OutcomeKind
from hub.core.time import Timestamp
from hub.exchange.outcomes import ProvenOutcomes, check_takes_outcomes, record
from hub.registry.memory import MemoryRegistry
from tests.harness.registry import ADMIN, HANGZHOU, SUZHOU, Opened, anchor, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ids import PeerId
    from hub.core.record import Settlement
    from hub.ports.leases import Fence

ACKNOWLEDGED, ABSENT = OutcomeKind.ACKNOWLEDGEMENT, OutcomeKind.ABSENCE
ELSEWHERE = OutcomeKind.SETTLED_ELSEWHERE


@pytest.fixture
async def lanes() -> Opened:
    """Packets 1 to 4 are accepted."""
    found = await opened(MemoryRegistry())
    await found.accept(1, 2, 3, 4)
    return found


def proven(
    *sequences: int, kind: OutcomeKind = ACKNOWLEDGED, text: bytes = b"answer"
) -> ProvenOutcomes:
    content = text if kind is ACKNOWLEDGED else b""
    return ProvenOutcomes(
        outcomes=tuple([NewOutcome(sequence, kind, content) for sequence in sequences]),
        commitments=tuple([b"\x07" * 32 if kind is ACKNOWLEDGED else b""] * len(sequences)),
        proof_height=9,
        proof=b"proof",
    )


async def test_outcomes_are_recorded_under_dense_indexes(lanes: Opened) -> None:
    found, _ = await record(lanes.registry, lanes.destination, await lanes.view(), proven(2, 4))
    assert (found.accepted, found.refused) == (RangeSet.of([2, 4]), ())
    stored = await lanes.registry.outcomes.read(lanes.lane, RangeSet.span(0, 9))
    assert [(one.outcome_index, one.sequence) for one in stored] == [(0, 2), (1, 4)]


async def test_the_same_outcome_again_is_done(lanes: Opened) -> None:
    await record(lanes.registry, lanes.destination, await lanes.view(), proven(1, 2))
    found, _ = await record(lanes.registry, lanes.destination, await lanes.view(), proven(1, 2))
    assert (found.accepted, found.already_done) == (EMPTY, RangeSet.of([1, 2]))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (proven(1), proven(1, kind=ABSENT)),
        (proven(1, kind=ABSENT), proven(1)),
        (proven(1), proven(1, text=b"another answer")),
    ],
)
async def test_two_outcomes_of_one_packet_contradict_each_other(
    lanes: Opened, first: ProvenOutcomes, second: ProvenOutcomes
) -> None:
    await record(lanes.registry, lanes.destination, await lanes.view(), first)
    found, _ = await record(lanes.registry, lanes.destination, await lanes.view(), second)
    [(sequence, error)] = found.refused
    assert (sequence, type(error)) == (1, OutcomeDiffers)
    [stored] = await lanes.registry.outcomes.find(lanes.lane, RangeSet.of([1]))
    assert stored.kind is first.outcomes[0].kind


async def test_a_frame_that_contradicts_what_was_proven_proves_nothing_else(
    lanes: Opened,
) -> None:
    await record(lanes.registry, lanes.destination, await lanes.view(), proven(1, 2))
    honest = proven(1, 2, 3, 4)
    lie = NewOutcome(2, ACKNOWLEDGED, b"another answer")
    mixed = replace(honest, outcomes=(honest.outcomes[0], lie, *honest.outcomes[2:]))
    found, _ = await record(lanes.registry, lanes.destination, await lanes.view(), mixed)
    assert (found.accepted, found.already_done) == (EMPTY, RangeSet.of([1]))
    assert [(sequence, type(error)) for sequence, error in found.refused] == [
        (2, OutcomeDiffers),
        (3, ClientFrozen),
        (4, ClientFrozen),
    ]


async def test_only_what_was_never_accepted_is_settled_elsewhere(lanes: Opened) -> None:
    found, _ = await record(
        lanes.registry, lanes.destination, await lanes.view(), proven(3, 7, kind=ELSEWHERE)
    )
    assert found.accepted == RangeSet.of([7])
    [(sequence, error)] = found.refused
    assert (sequence, type(error)) == (3, IllegalMove)


@pytest.mark.parametrize("first", [ACKNOWLEDGED, ABSENT])
async def test_settled_elsewhere_contradicts_no_outcome(lanes: Opened, first: OutcomeKind) -> None:
    """It is proven at the source; two processes may come to it and to the outcome at once."""
    await record(lanes.registry, lanes.destination, await lanes.view(), proven(1, kind=first))
    await record(lanes.registry, lanes.destination, await lanes.view(), proven(7, kind=ELSEWHERE))
    for again in (proven(1, kind=ELSEWHERE), proven(7, kind=first)):
        found, _ = await record(lanes.registry, lanes.destination, await lanes.view(), again)
        assert len(found.already_done) == 1
        assert found.refused == ()


async def test_an_outcome_of_a_packet_that_was_not_accepted_is_refused(lanes: Opened) -> None:
    found, _ = await record(lanes.registry, lanes.destination, await lanes.view(), proven(4, 5))
    assert found.accepted == RangeSet.of([4])
    [(sequence, error)] = found.refused
    assert (sequence, type(error)) == (5, PacketNotFound)


async def test_a_packet_accepted_since_the_lane_was_read_has_its_outcome_taken(
    lanes: Opened,
) -> None:
    old = await lanes.view()
    await lanes.accept(5)
    found, _ = await record(lanes.registry, lanes.destination, old, proven(5))
    assert found.accepted == RangeSet.of([5])


async def test_a_paused_lane_takes_outcomes_under_its_new_gate(lanes: Opened) -> None:
    old = await lanes.view()
    await lanes.registry.lanes.pause(lanes.lanes[0].key, "maintenance", ADMIN)
    found, view = await record(lanes.registry, lanes.destination, old, proven(1))
    assert found.accepted == RangeSet.of([1])
    assert view.destination.gate > old.destination.gate


async def test_a_freeze_between_judging_and_recording_stops_the_outcome(lanes: Opened) -> None:
    old = await lanes.view()
    await lanes.registry.clients.freeze(SUZHOU, "two headers", None, ADMIN)
    with pytest.raises(ClientFrozen):
        await record(lanes.registry, lanes.destination, old, proven(1))
    assert await lanes.registry.outcomes.find(lanes.lane, RangeSet.of([1])) == []


async def test_a_freeze_of_the_source_between_judging_and_recording_settles_nothing_elsewhere(
    lanes: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, genuine = lanes.registry, lanes.registry.outcomes.record

    async def frozen_first(fence: Fence, settlements: Sequence[Settlement]) -> None:
        await registry.clients.freeze(HANGZHOU, "two headers", None, ADMIN)
        await genuine(fence, settlements)

    monkeypatch.setattr(registry.outcomes, "record", frozen_first)
    with pytest.raises(ClientFrozen):
        await record(registry, lanes.destination, await lanes.view(), proven(9, kind=ELSEWHERE))
    assert 9 not in (await lanes.view()).destination.done


async def test_a_packet_that_is_accepted_just_then_is_not_settled_elsewhere(
    lanes: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, genuine = lanes.registry, lanes.registry.outcomes.record

    async def accepted_first(fence: Fence, settlements: Sequence[Settlement]) -> None:
        monkeypatch.undo()
        await lanes.accept(9)
        await genuine(fence, settlements)

    monkeypatch.setattr(registry.outcomes, "record", accepted_first)
    view = await lanes.view()
    found, _ = await record(registry, lanes.destination, view, proven(9, kind=ELSEWHERE))
    [(sequence, error)] = found.refused
    assert (sequence, type(error)) == (9, IllegalMove)


@pytest.mark.parametrize("is_old", [True, False], ids=["view from before", "view from after"])
@pytest.mark.parametrize(
    ("peer", "kind", "sequence"),
    [(SUZHOU, ABSENT, 1), (SUZHOU, ACKNOWLEDGED, 1), (HANGZHOU, ELSEWHERE, 9)],
)
async def test_what_was_proven_before_its_client_started_again_is_not_recorded(
    lanes: Opened, peer: PeerId, kind: OutcomeKind, sequence: int, *, is_old: bool
) -> None:
    """Under a root that may have been forged."""
    view = await lanes.view()
    await lanes.registry.clients.freeze(peer, "two headers", None, ADMIN)
    if is_old or kind is ELSEWHERE:
        with pytest.raises(ClientFrozen):
            await record(lanes.registry, lanes.destination, view, proven(sequence, kind=kind))
    later = anchor(f"{peer}-1", height=Height(1, 10))
    await lanes.registry.clients.recover(peer, later, Timestamp(0), "mended", ADMIN)
    view = view if is_old else await lanes.view()
    with pytest.raises(ConsensusStateMissing):
        await record(lanes.registry, lanes.destination, view, proven(sequence, kind=kind))
    assert await lanes.registry.outcomes.find(lanes.lane, RangeSet.of([sequence])) == []
    anew = replace(proven(sequence, kind=kind), proof_height=10)
    found, _ = await record(lanes.registry, lanes.destination, view, anew)
    assert found.accepted == RangeSet.of([sequence])


async def test_what_one_chain_proved_counts_though_the_others_client_started_again(
    lanes: Opened,
) -> None:
    view = await lanes.view()
    later = anchor("hangzhou-1", height=Height(1, 10))
    await lanes.registry.clients.freeze(HANGZHOU, "two headers", None, ADMIN)
    await lanes.registry.clients.recover(HANGZHOU, later, Timestamp(0), "mended", ADMIN)
    found, _ = await record(lanes.registry, lanes.destination, view, proven(1))
    assert found.accepted == RangeSet.of([1])


async def test_a_lane_that_never_rests_is_given_up(
    lanes: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def restless(*_: object) -> None:
        raise GateChanged(lane="lanes/x", gate=1)

    monkeypatch.setattr(lanes.registry.outcomes, "record", restless)
    with pytest.raises(GateChanged):
        await record(lanes.registry, lanes.destination, await lanes.view(), proven(1))


async def test_only_the_destinations_stop_stops_outcomes(lanes: Opened) -> None:
    view = await lanes.view()
    check_takes_outcomes(replace(view, source_stopped="two headers"))
    with pytest.raises(ClientFrozen):
        check_takes_outcomes(replace(view, destination_stopped="two headers"))
    with pytest.raises(LaneNotOpen):
        check_takes_outcomes(replace(view, lane=replace(view.lane, state=LaneState.CLOSED)))


async def test_outcomes_go_on_while_the_source_is_suspended_or_the_lane_drains(
    lanes: Opened,
) -> None:
    view = await lanes.view()
    check_takes_outcomes(replace(view, suspended=(HANGZHOU,), source_stopped="suspended"))
    check_takes_outcomes(replace(view, lane=replace(view.lane, state=LaneState.DRAINING)))
    with pytest.raises(PeerSuspended):
        check_takes_outcomes(replace(view, suspended=(SUZHOU,)))
