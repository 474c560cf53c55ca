from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import GateChanged, LaneNotFound, LeaseLost, Reason
from hub.core.ids import PeerId
from hub.core.ranges import RangeSet
from hub.core.record import (
    Acceptance,
    ExceptionKind,
    FrameProof,
    OutcomeKind,
    SkippedLeaf,
    TimeoutBatch,
)
from hub.ports.leases import Fence
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SEQUENCES,
    SUZHOU,
    TIMEOUT,
    acceptance,
    acquire,
    broken,
    key_of,
    opened,
    packet,
)
from tests.registry.test_partitions import age

if TYPE_CHECKING:
    from hub.ports.registry import Registry
    from hub.registry.registry import PostgresRegistry


async def test_accepted_packets_are_read_as_they_were_given(registry: Registry) -> None:
    lanes = await opened(registry)
    before = await registry.audit.clock()
    await lanes.accept(1, 2, 3)
    view = await lanes.view()
    assert view.source.done == RangeSet.span(1, 4)
    assert view.destination.done == RangeSet()
    stored = await registry.packets.read(lanes.lane, RangeSet.of([1, 3, 9]))
    assert [(p.sequence, p.content, p.timeout_timestamp) for p in stored] == [
        (1, packet(1).content, TIMEOUT),
        (3, packet(3).content, TIMEOUT),
    ]
    assert stored[0].accepted_at >= before // 1000 * 1000
    assert await registry.packets.read(lanes.lane, RangeSet()) == []
    assert await registry.packets.read(99, RangeSet.of([1])) == []
    assert await broken(registry) == {}


async def test_the_proof_of_a_frame_is_stored_once_with_all_its_leaves(registry: Registry) -> None:
    lanes = await opened(registry)
    skipped = (SkippedLeaf(3, b"c" * 32), SkippedLeaf(2**63 - 1, b""))
    proof = FrameProof(height=12, content=b"a batch", leaf_count=4, skipped=skipped)
    part = Acceptance(
        lane_id=lanes.lane, gate=1, packets=(packet(1), packet(2)), denials=(), proof=proof
    )
    await registry.packets.accept(lanes.source, [part])
    first, second = await registry.packets.read(lanes.lane, RangeSet.of([1, 2]))
    assert first.proof_id == second.proof_id
    proofs = await registry.packets.proofs([first.proof_id, 99, first.proof_id])
    assert list(proofs) == [first.proof_id]
    stored = proofs[first.proof_id]
    assert (stored.proof_id, stored.gate, stored.proof) == (first.proof_id, 1, proof)
    assert await registry.packets.proofs([]) == {}


async def test_frames_begin_with_their_first_packet(registry: Registry) -> None:
    lanes = await opened(registry)
    for sequences in ((4, 6), (1, 2), (3, 5), (7,)):
        await lanes.accept(*sequences)
    starts = registry.packets.frame_starts
    assert list(await starts(lanes.lane, RangeSet.span(1, 99))) == [1, 3, 4, 7]
    assert list(await starts(lanes.lane, RangeSet.of([2, 5, 6]))) == [2, 5, 6]
    assert list(await starts(lanes.lane, RangeSet())) == []
    assert list(await starts(99, RangeSet.of([1]))) == []


async def test_the_packets_of_a_frame_are_found_by_its_proof(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(4, 6)
    await lanes.accept(1, 5)
    under, everything = registry.packets.under_proof, RangeSet.span(1, 99)
    first, other = [
        packet.proof_id for packet in await registry.packets.read(lanes.lane, RangeSet.of([1, 4]))
    ]
    assert await under(lanes.lane, first, everything) == RangeSet.of([1, 5])
    assert await under(lanes.lane, other, RangeSet.span(1, 6)) == RangeSet.of([4])
    assert await under(lanes.lane, 99, everything) == RangeSet()
    assert await under(lanes.lane, first, RangeSet()) == RangeSet()
    await lanes.settle(1, 6)
    await lanes.settle(4)
    [outcome] = await registry.outcomes.read(lanes.lane, RangeSet.of([1]))
    recorded = registry.outcomes.under_proof
    assert await recorded(lanes.lane, outcome.proof_id, RangeSet.span(0, 9)) == RangeSet.of([0, 1])


async def test_a_frame_of_another_day_is_found_by_its_proof(postgres: PostgresRegistry) -> None:
    lanes = await opened(postgres)
    await lanes.accept(1, 2)
    [packet, _] = await postgres.packets.page(lanes.lane, 0, 9)
    await age(postgres)
    await lanes.accept(3)
    found = await postgres.packets.under_proof(lanes.lane, packet.proof_id, RangeSet.span(0, 9))
    assert found == RangeSet.of([1, 2])


async def test_frames_of_several_lanes_are_accepted_together(registry: Registry) -> None:
    lanes = await opened(registry)
    number = lanes.lanes[0].lane_id
    await registry.leases.release(lanes.destination)
    other = await acquire(registry, SUZHOU)
    parts = [acceptance(number, [5, 6]), acceptance(number, [1, 3])]
    await registry.packets.accept(lanes.source, parts)
    await registry.packets.accept(other, [acceptance(lanes.lanes[1].lane_id, [1])])
    assert (await lanes.view()).source.done == RangeSet.of([1, 3, 5, 6])
    stored = await registry.packets.read(number, RangeSet.span(0, 10))
    assert [p.sequence for p in stored] == [1, 3, 5, 6]
    assert stored[0].proof_id == stored[1].proof_id != stored[2].proof_id


async def test_nothing_is_accepted_when_one_of_several_lanes_refuses(registry: Registry) -> None:
    lanes = await opened(registry)
    await registry.lanes.pause(key_of(), "work", ADMIN)
    parts = [acceptance(lanes.lane, [1], gate=2), acceptance(99, [1])]
    with pytest.raises((GateChanged, LaneNotFound)):
        await registry.packets.accept(lanes.source, parts)
    view = await lanes.view()
    assert view.source.done == RangeSet()


async def test_a_denial_takes_its_place_and_is_an_exception(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, denied=[2])
    [denied] = await registry.exceptions.among(lanes.lane, SEQUENCES)
    assert (denied.sequence, denied.kind) == (2, ExceptionKind.DENIED)
    assert denied.reason is Reason.POLICY_DENIES_ROUTE
    assert denied.detail == "why 2"
    assert (denied.attempts, denied.next_attempt_at) == (0, None)
    assert (await lanes.view()).source.done == RangeSet.span(1, 4)


@pytest.mark.parametrize("again", [[3], [3, 4], [2, 3], [1, 4]])
async def test_a_sequence_that_is_done_is_refused_with_its_whole_batch(
    registry: Registry, again: list[int]
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 3)
    with pytest.raises(GateChanged) as caught:
        await lanes.accept(*again)
    assert (caught.value.lane, caught.value.gate) == (key_of().name, 1)
    assert (await lanes.view()).source.done == RangeSet.of([1, 3])
    assert len(await registry.packets.page(lanes.lane, 0, 10)) == 2


async def test_a_sequence_twice_in_one_call_is_refused(registry: Registry) -> None:
    lanes = await opened(registry)
    parts = [acceptance(lanes.lane, [1, 2]), acceptance(lanes.lane, [2, 3])]
    with pytest.raises(GateChanged):
        await registry.packets.accept(lanes.source, parts)
    assert (await lanes.view()).source.done == RangeSet()


@pytest.mark.parametrize("gate", [0, 2])
async def test_another_gate_is_refused(registry: Registry, gate: int) -> None:
    lanes = await opened(registry)
    with pytest.raises(GateChanged):
        await lanes.accept(1, gate=gate)
    parts = [acceptance(lanes.lane, [1]), acceptance(lanes.lane, [2], gate=gate)]
    with pytest.raises(GateChanged):
        await registry.packets.accept(lanes.source, parts)


async def test_a_paused_lane_accepts_nothing_under_its_new_gate_either(registry: Registry) -> None:
    lanes = await opened(registry)
    await registry.lanes.pause(key_of(), "work", ADMIN)
    for gate in (1, 2):
        with pytest.raises(GateChanged):
            await lanes.accept(1, gate=gate)
    await registry.lanes.resume(key_of(), ADMIN)
    await lanes.accept(1, gate=3)


async def test_nothing_is_accepted_after_the_sources_client_froze(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    await registry.clients.freeze(HANGZHOU, "two truths", None, ADMIN)
    for gate in (1, 2):
        with pytest.raises(GateChanged):
            await lanes.accept(2, gate=gate)
    await registry.lanes.pause(key_of(), "work", ADMIN)
    await registry.lanes.resume(key_of(), ADMIN)
    with pytest.raises(GateChanged):
        await lanes.accept(2, gate=4)
    assert await broken(registry) == {}


async def test_a_lost_lease_accepts_nothing(registry: Registry) -> None:
    lanes = await opened(registry)
    await acquire(registry, HANGZHOU)
    with pytest.raises(LeaseLost) as caught:
        await lanes.accept(1)
    assert (caught.value.peer, caught.value.epoch) == (HANGZHOU, 1)
    assert (await lanes.view()).source.done == RangeSet()


@pytest.mark.parametrize("peer", [SUZHOU, PeerId("shanghai")])
async def test_anothers_lease_of_the_same_epoch_accepts_nothing(
    registry: Registry, peer: PeerId
) -> None:
    lanes = await opened(registry)
    with pytest.raises(LeaseLost):
        await registry.packets.accept(Fence(peer, 1), [acceptance(lanes.lane, [1])])


async def test_an_unknown_lane_accepts_nothing(registry: Registry) -> None:
    lanes = await opened(registry)
    with pytest.raises(LaneNotFound):
        await registry.packets.accept(lanes.source, [acceptance(99, [1])])


async def test_of_two_writers_of_the_same_packets_one_wins(registry: Registry) -> None:
    lanes = await opened(registry)
    results = await asyncio.gather(
        *[lanes.accept(1, 2, 3) for _ in range(6)], return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, GateChanged) for result in results) == 5
    assert len(await registry.packets.page(lanes.lane, 0, 10)) == 3
    assert await broken(registry) == {}


async def test_many_writers_of_different_packets_all_succeed(registry: Registry) -> None:
    lanes = await opened(registry)
    await asyncio.gather(*[lanes.accept(first, first + 1) for first in range(1, 41, 2)])
    assert (await lanes.view()).source.done == RangeSet.span(1, 41)
    assert await broken(registry) == {}


async def test_packets_are_paged_by_sequence(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(4, 5, 9)
    await lanes.accept(1)
    page = await registry.packets.page(lanes.lane, 1, 2)
    assert [stored.sequence for stored in page] == [4, 5]
    assert [stored.sequence for stored in await registry.packets.page(lanes.lane, 5, 9)] == [9]
    assert await registry.packets.page(99, 0, 10) == []


async def test_a_batch_waits_for_the_earliest_of_its_timeouts(registry: Registry) -> None:
    lanes = await opened(registry)
    packets = (packet(1, 300), packet(2, 100), packet(4, 200))
    part = Acceptance(
        lane_id=lanes.lane,
        gate=1,
        packets=packets,
        denials=(),
        proof=FrameProof(height=7, content=b"proof", leaf_count=3),
    )
    await registry.packets.accept(lanes.source, [part])
    await lanes.accept(5, timeout=90)
    await lanes.accept(6, timeout=101)
    due = await registry.packets.due_timeouts(lanes.lane, 100, 10)
    assert due == [
        TimeoutBatch(lane_id=lanes.lane, first=5, last=5, earliest=90),
        TimeoutBatch(lane_id=lanes.lane, first=1, last=4, earliest=100),
    ]
    assert len(await registry.packets.due_timeouts(lanes.lane, 101, 10)) == 3
    assert len(await registry.packets.due_timeouts(lanes.lane, 101, 2)) == 2
    assert await registry.packets.due_timeouts(lanes.lane, 89, 10) == []


async def test_a_batch_waits_for_a_later_timeout_or_no_more(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, timeout=100)
    await lanes.accept(2, timeout=100)
    first, second = await registry.packets.due_timeouts(lanes.lane, 100, 10)
    await registry.packets.move_timeouts(lanes.destination, [(first, 150), (second, None)])
    await registry.packets.move_timeouts(lanes.destination, [(second, 120)])
    await registry.packets.move_timeouts(lanes.destination, [])
    left = await registry.packets.due_timeouts(lanes.lane, 1000, 10)
    assert [(batch.first, batch.earliest) for batch in left] == [(1, 150)]


async def test_timeouts_are_moved_by_the_destinations_lease_alone(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, timeout=100)
    [batch] = await registry.packets.due_timeouts(lanes.lane, 100, 10)
    for fence in (lanes.source, Fence(SUZHOU, 9)):
        with pytest.raises(LeaseLost):
            await registry.packets.move_timeouts(fence, [(batch, None)])
    unknown = TimeoutBatch(lane_id=99, first=1, last=1, earliest=1)
    moves = [(batch, None), (unknown, None)]
    with pytest.raises(LaneNotFound):
        await registry.packets.move_timeouts(lanes.destination, moves)
    assert await registry.packets.due_timeouts(lanes.lane, 100, 10) == [batch]


async def test_a_sequence_settled_elsewhere_may_still_be_accepted(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.settle(2, kind=OutcomeKind.SETTLED_ELSEWHERE)
    await lanes.accept(1, 2)
    assert (await lanes.view()).source.done == RangeSet.span(1, 3)
    assert await broken(registry) == {}


async def test_the_earliest_timeout_of_each_lane_is_told(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, timeout=TIMEOUT)
    await lanes.accept(3, timeout=TIMEOUT - 7)
    other = lanes.lanes[1].lane_id
    earliest = await registry.packets.earliest_timeouts([lanes.lane, other, 10_000])
    assert earliest == {lanes.lane: TIMEOUT - 7}


async def test_batches_whose_packets_have_all_ended_wait_no_more(registry: Registry) -> None:
    lanes = await opened(registry)
    for frame in ((1, 2), (3, 4), (5, 9)):
        await lanes.accept(*frame)
    await lanes.settle(1, 2, 3, 5, 9)

    async def first_ones() -> list[int]:
        batches = await registry.packets.due_timeouts(lanes.lane, TIMEOUT, 10)
        return [batch.first for batch in batches]

    with pytest.raises(LeaseLost):
        await registry.packets.drop_ended_timeouts(lanes.source, [lanes.lane])
    with pytest.raises(LaneNotFound):
        await registry.packets.drop_ended_timeouts(lanes.destination, [lanes.lane, 10_000])
    assert await first_ones() == [1, 3, 5]
    await registry.packets.drop_ended_timeouts(lanes.destination, [lanes.lane])
    assert await first_ones() == [3]
    await lanes.settle(4)
    await registry.packets.drop_ended_timeouts(lanes.destination, [lanes.lane, lanes.lane])
    assert await first_ones() == []
    assert await broken(registry) == {}


async def test_the_first_frame_of_a_lane_may_be_full_of_holes(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(*range(1, 256, 2))
    assert len((await lanes.view()).source.done) == 128
    assert await broken(registry) == {}
