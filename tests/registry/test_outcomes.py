from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import (
    ConsensusStateMissing,
    GateChanged,
    IllegalMove,
    LaneNotFound,
    LeaseLost,
    PacketNotFound,
)
from hub.core.height import Height
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, OutcomeKind, Settlement
from hub.core.time import SECOND, Timestamp
from hub.exchange.outcomes import ProvenOutcomes, record
from hub.ports.leases import Fence
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SEQUENCES,
    SUZHOU,
    acquire,
    anchor,
    broken,
    key_of,
    opened,
    outcome,
    proof,
    settlement,
)

if TYPE_CHECKING:
    from hub.core.ids import PeerId
    from hub.ports.registry import Registry

NOW = Timestamp(1_800_000_100 * SECOND)
ABSENCE, ELSEWHERE = OutcomeKind.ABSENCE, OutcomeKind.SETTLED_ELSEWHERE


async def test_outcomes_have_one_dense_index_in_the_order_of_their_recording(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, 4, 5)
    await lanes.settle(4, 5)
    await lanes.settle(1, 3)
    view = await lanes.view()
    assert view.destination.done == RangeSet.of([1, 3, 4, 5])
    assert view.destination.outcome_count == 4
    assert view.source.outcome_count == 0
    stored = await registry.outcomes.read(lanes.lane, RangeSet.span(0, 9))
    assert [(o.outcome_index, o.sequence) for o in stored] == [(0, 4), (1, 5), (2, 1), (3, 3)]
    assert stored[0].content == outcome(4).content
    assert stored[0].proof_id == stored[1].proof_id != stored[2].proof_id
    assert (await registry.packets.proofs([stored[0].proof_id]))[stored[0].proof_id].gate == 1
    assert [o.sequence for o in await registry.outcomes.read(lanes.lane, RangeSet.of([1, 2]))] == [
        5,
        1,
    ]
    assert await broken(registry) == {}


@pytest.mark.parametrize("peer", [HANGZHOU, SUZHOU])
async def test_what_was_proven_before_a_client_started_again_is_recorded_under_no_gate_of_it(
    registry: Registry, peer: PeerId
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    old = await lanes.view()
    assert (old.source_anchor, old.destination_anchor) == (5, 5)
    await registry.clients.freeze(peer, "two headers", None, ADMIN)
    later = anchor(f"{peer}-1", height=Height(1, 20))
    await registry.clients.recover(peer, later, NOW, "mended", ADMIN)
    now = await lanes.view()
    heights = (20, 5) if peer == HANGZHOU else (5, 20)
    assert (now.source_anchor, now.destination_anchor) == heights
    kind, sequence = (ELSEWHERE, 9) if peer == HANGZHOU else (ABSENCE, 1)
    shown = ProvenOutcomes(
        outcomes=(outcome(sequence, kind),), commitments=(b"",), proof_height=7, proof=b"proof"
    )
    for view in (old, now):
        with pytest.raises(ConsensusStateMissing):
            await record(registry, lanes.destination, view, shown)
    anew = replace(shown, proof_height=20)
    found, _ = await record(registry, lanes.destination, old, anew)
    assert found.accepted == RangeSet.of([sequence])


async def test_frames_begin_with_their_first_outcome(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, 4, 5)
    for sequences in ((4, 5), (2,), (1, 3)):
        await lanes.settle(*sequences)
    starts = registry.outcomes.frame_starts
    assert list(await starts(lanes.lane, RangeSet.span(0, 99))) == [0, 2, 3]
    assert list(await starts(lanes.lane, RangeSet.of([1, 4]))) == [1, 4]
    assert list(await starts(lanes.lane, RangeSet())) == []
    assert list(await starts(99, RangeSet.of([1]))) == []


async def test_outcomes_are_found_by_sequence(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3)
    await lanes.settle(3)
    await lanes.settle(1)
    found = await registry.outcomes.find(lanes.lane, RangeSet.span(1, 9))
    assert [(o.sequence, o.outcome_index) for o in found] == [(1, 1), (3, 0)]
    assert await registry.outcomes.find(lanes.lane, RangeSet.of([2])) == []
    assert await registry.outcomes.find(lanes.lane, RangeSet()) == []
    assert await registry.outcomes.read(lanes.lane, RangeSet()) == []
    assert await registry.outcomes.find(99, RangeSet.of([1])) == []
    assert await registry.outcomes.read(99, RangeSet.of([1])) == []


async def test_each_kind_of_outcome_is_kept(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2)
    await lanes.settle(1)
    outcomes = (outcome(2, ABSENCE), outcome(7, ELSEWHERE))
    part = Settlement(lane_id=lanes.lane, gate=1, outcomes=outcomes, proof=proof(1))
    await registry.outcomes.record(lanes.destination, [part])
    stored = await registry.outcomes.read(lanes.lane, RangeSet.span(0, 3))
    assert [(o.kind, o.content) for o in stored] == [
        (OutcomeKind.ACKNOWLEDGEMENT, b"answer 1"),
        (ABSENCE, b""),
        (ELSEWHERE, b""),
    ]


@pytest.mark.parametrize("kind", [OutcomeKind.ACKNOWLEDGEMENT, ABSENCE])
async def test_a_packet_that_was_not_accepted_has_no_outcome(
    registry: Registry, kind: OutcomeKind
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 3)
    with pytest.raises(PacketNotFound) as caught:
        await lanes.settle(1, 2, 3, kind=kind)
    assert caught.value.name == f"{key_of().name}/packets/2"
    assert (await lanes.view()).destination.outcome_count == 0


@pytest.mark.parametrize("kind", OutcomeKind)
async def test_a_packet_has_one_outcome(registry: Registry, kind: OutcomeKind) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2)
    await lanes.settle(1)
    with pytest.raises(GateChanged):
        await lanes.settle(1, 2, kind=kind)
    parts = [settlement(lanes.lane, [2]), settlement(lanes.lane, [2], kind=kind)]
    with pytest.raises(GateChanged):
        await registry.outcomes.record(lanes.destination, parts)
    view = await lanes.view()
    assert (view.destination.outcome_count, list(view.destination.done)) == (1, [1])


async def test_settlements_of_one_lane_share_its_index(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3)
    parts = [settlement(lanes.lane, [3]), settlement(lanes.lane, [1, 2])]
    await registry.outcomes.record(lanes.destination, parts)
    stored = await registry.outcomes.read(lanes.lane, RangeSet.span(0, 3))
    assert [(o.outcome_index, o.sequence) for o in stored] == [(0, 3), (1, 1), (2, 2)]


async def test_an_outcome_takes_every_exception_of_its_packet_away(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, denied=[1, 3])
    await lanes.settle(1, 2)
    left = await registry.exceptions.among(lanes.lane, SEQUENCES)
    assert [(e.sequence, e.kind) for e in left] == [(3, ExceptionKind.DENIED)]


async def test_a_pause_does_not_stop_outcomes_judged_after_it(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    await registry.lanes.pause(key_of(), "work", ADMIN)
    with pytest.raises(GateChanged):
        await lanes.settle(1, gate=1)
    await lanes.settle(1, gate=2)


async def test_nothing_is_settled_after_the_destinations_client_froze(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    for gate in (1, 2):
        with pytest.raises(GateChanged):
            await lanes.settle(1, gate=gate)
    assert await broken(registry) == {}


async def test_what_the_sources_client_proved_gone_is_not_settled_after_it_froze(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    elsewhere = settlement(lanes.lane, [7], kind=OutcomeKind.SETTLED_ELSEWHERE)
    judged = replace(elsewhere, source_gate=(await lanes.view()).source.gate)
    accepted = settlement(lanes.lane, [1], kind=OutcomeKind.SETTLED_ELSEWHERE)
    accepted = replace(accepted, source_gate=judged.source_gate)
    with pytest.raises(GateChanged):  # accepted since it was judged
        await registry.outcomes.record(lanes.destination, [accepted])
    await registry.clients.freeze(HANGZHOU, "two headers", None, ADMIN)
    with pytest.raises(GateChanged):
        await registry.outcomes.record(lanes.destination, [judged])
    assert not (await lanes.view()).destination.done
    now = replace(elsewhere, source_gate=(await lanes.view()).source.gate)
    await registry.outcomes.record(lanes.destination, [now])
    assert (await lanes.view()).destination.done == RangeSet.of([7])
    assert await broken(registry) == {}


async def test_outcomes_are_recorded_by_the_destinations_lease_alone(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    part = settlement(lanes.lane, [1])
    for fence in (lanes.source, Fence(SUZHOU, 2), Fence(HANGZHOU, 1)):
        with pytest.raises(LeaseLost):
            await registry.outcomes.record(fence, [part])
    await acquire(registry, SUZHOU)
    with pytest.raises(LeaseLost):
        await lanes.settle(1)
    with pytest.raises(LaneNotFound):
        await registry.outcomes.record(lanes.destination, [settlement(99, [1])])


async def test_of_two_writers_of_the_same_outcome_one_wins(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2)
    results = await asyncio.gather(
        *[lanes.settle(1, 2, kind=kind) for kind in list(OutcomeKind) * 2], return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, GateChanged) for result in results) == 5
    assert (await lanes.view()).destination.outcome_count == 2


async def test_many_writers_of_different_outcomes_leave_no_gap_in_the_index(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await lanes.accept(*range(1, 41))
    await asyncio.gather(*[lanes.settle(first, first + 1) for first in range(1, 41, 2)])
    stored = await registry.outcomes.read(lanes.lane, RangeSet.span(0, 40))
    assert [o.outcome_index for o in stored] == list(range(40))
    assert await broken(registry) == {}


async def test_delivered_packets_are_noted_and_may_be_noted_again(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3)
    await registry.outcomes.record_delivered(lanes.destination, lanes.lane, RangeSet.of([1, 2]))
    await registry.outcomes.record_delivered(lanes.destination, lanes.lane, RangeSet.of([2, 3]))
    await registry.outcomes.record_delivered(lanes.destination, lanes.lane, RangeSet())
    view = await lanes.view()
    assert view.destination.progress == RangeSet.span(1, 4)
    assert view.source.progress == RangeSet()


async def test_only_accepted_packets_are_delivered_and_by_the_destination(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    deliver = registry.outcomes.record_delivered
    with pytest.raises(PacketNotFound):
        await deliver(lanes.destination, lanes.lane, RangeSet.of([1, 2]))
    with pytest.raises(LeaseLost):
        await deliver(lanes.source, lanes.lane, RangeSet.of([1]))
    with pytest.raises(LaneNotFound):
        await deliver(lanes.destination, 99, RangeSet.of([1]))
    assert (await lanes.view()).destination.progress == RangeSet()


async def test_completed_outcomes_are_noted_by_the_source(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3)
    await lanes.settle(1, 2)
    complete = registry.outcomes.record_completed
    await complete(lanes.source, lanes.lane, RangeSet.of([1]))
    await complete(lanes.source, lanes.lane, RangeSet.of([0, 1]))
    await complete(lanes.source, lanes.lane, RangeSet())
    assert (await lanes.view()).source.progress == RangeSet.span(0, 2)
    with pytest.raises(IllegalMove):
        await complete(lanes.source, lanes.lane, RangeSet.of([1, 2]))
    with pytest.raises(LeaseLost):
        await complete(lanes.destination, lanes.lane, RangeSet.of([0]))
    with pytest.raises(LaneNotFound):
        await complete(lanes.source, 99, RangeSet.of([0]))
    assert (await lanes.view()).source.progress == RangeSet.span(0, 2)
    assert await broken(registry) == {}


async def test_a_freeze_does_not_stop_reports(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    await lanes.settle(1)
    await registry.clients.freeze(HANGZHOU, "two truths", None, ADMIN)
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    await registry.outcomes.record_delivered(lanes.destination, lanes.lane, RangeSet.of([1]))
    await registry.outcomes.record_completed(lanes.source, lanes.lane, RangeSet.of([0]))
