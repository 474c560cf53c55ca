"""Accepted packets, proofs and timeout batches in memory."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from hub.core.budget import first_of
from hub.core.errors import GapTooWide, GateChanged, Reason
from hub.core.lane import Side
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import (
    ExceptionKind,
    PacketException,
    StoredPacket,
    StoredProof,
    TimeoutBatch,
)
from hub.ports.registry import Topic
from hub.registry.memory.state import ProofRow
from hub.registry.narrow import MAX_END, MAX_HOLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from hub.core.record import Acceptance, Denial
    from hub.core.time import Timestamp
    from hub.ports.leases import Fence
    from hub.registry.memory.state import LaneRow, State
    from hub.registry.narrow import NarrowSet


class MemoryPackets:
    """``hub.ports.packets.Packets`` in memory."""

    def __init__(self, state: State) -> None:
        """The packets of *state*."""
        self._state = state

    async def accept(self, fence: Fence, acceptances: Sequence[Acceptance]) -> None:
        """As the port says."""
        by_lane: dict[int, list[Acceptance]] = defaultdict(list)
        for acceptance in sorted(acceptances, key=lambda acceptance: acceptance.lane_id):
            by_lane[acceptance.lane_id].append(acceptance)
        judged = [
            (self._state.lane(lane_id), parts, self._judge(fence, lane_id, parts))
            for lane_id, parts in by_lane.items()
        ]
        at = self._state.now()
        for row, parts, done in judged:
            closed = done.closed - row.sides[Side.SOURCE].done.closed
            row.sides[Side.SOURCE].done = done
            for sequence in closed - row.sides[Side.DESTINATION].done.truth:
                row.exceptions.setdefault(sequence, _hole(sequence, at))
            for part in parts:
                self._store(fence, row, part, at)
            self._state.announce(Topic.ACCEPTED, row.lane.lane_id)

    async def read(
        self, lane_id: int, sequences: RangeSet, max_bytes: int | None = None
    ) -> Sequence[StoredPacket]:
        """As the port says."""
        packets = self._state.known(lane_id).packets
        return first_of((packets[number] for number in among(packets, sequences)), max_bytes)

    async def frame_starts(self, lane_id: int, sequences: RangeSet) -> Sequence[int]:
        """As the port says."""
        return first_of_proofs(
            {p.sequence: p.proof_id for p in await self.read(lane_id, sequences)}
        )

    async def page(
        self, lane_id: int, after: int, limit: int, max_bytes: int | None = None
    ) -> Sequence[StoredPacket]:
        """As the port says."""
        packets = self._state.known(lane_id).packets
        found = sorted(sequence for sequence in packets if sequence > after)
        return first_of((packets[sequence] for sequence in found[:limit]), max_bytes)

    async def under_proof(self, lane_id: int, proof_id: int, sequences: RangeSet) -> RangeSet:
        """As the port says."""
        packets = self._state.known(lane_id).packets
        return RangeSet.of(
            [n for n in among(packets, sequences) if packets[n].proof_id == proof_id]
        )

    async def proofs(self, proof_ids: Sequence[int]) -> Mapping[int, StoredProof]:
        """As the port says."""
        proofs = self._state.proofs
        return {number: proofs[number].stored for number in proof_ids if number in proofs}

    async def due_timeouts(self, lane_id: int, at: int, limit: int) -> Sequence[TimeoutBatch]:
        """As the port says."""
        batches = self._state.known(lane_id).timeouts.values()
        due = [batch for batch in batches if batch.earliest <= at]
        return sorted(due, key=lambda batch: (batch.earliest, batch.first))[:limit]

    async def earliest_timeouts(self, lane_ids: Collection[int]) -> Mapping[int, int]:
        """As the port says."""
        found = {lane_id: self._state.known(lane_id).timeouts.values() for lane_id in lane_ids}
        return {
            lane_id: min(batch.earliest for batch in batches)
            for lane_id, batches in found.items()
            if batches
        }

    async def drop_ended_timeouts(self, fence: Fence, lane_ids: Collection[int]) -> None:
        """As the port says."""
        for lane_id in lane_ids:
            self._state.fenced_side(fence, lane_id, Side.DESTINATION)
        for lane_id in lane_ids:
            row = self._state.lane(lane_id)
            ended = row.sides[Side.DESTINATION].done.truth
            # As the row counts: what is missing may come yet.
            accepted = row.sides[Side.SOURCE].done.stored
            for batch in list(row.timeouts.values()):
                if not accepted & RangeSet.span(batch.first, batch.last + 1) - ended:
                    del row.timeouts[batch.first]

    async def move_timeouts(
        self, fence: Fence, moves: Sequence[tuple[TimeoutBatch, int | None]]
    ) -> None:
        """As the port says."""
        for batch, _ in moves:
            self._state.fenced_side(fence, batch.lane_id, Side.DESTINATION)
        for batch, earliest in moves:
            timeouts = self._state.lane(batch.lane_id).timeouts
            if timeouts.get(batch.first) is None:
                continue
            if earliest is None:
                del timeouts[batch.first]
            else:
                timeouts[batch.first] = replace(timeouts[batch.first], earliest=earliest)

    def _judge(self, fence: Fence, lane_id: int, parts: Sequence[Acceptance]) -> NarrowSet:
        """The lane's accepted set with *parts* in it. Raises as ``accept``."""
        side = self._state.fenced_side(fence, lane_id, Side.SOURCE)
        row = self._state.lane(lane_id)
        new, truth = EMPTY, side.done.truth
        for part in parts:
            added = RangeSet.of([packet.sequence for packet in part.packets])
            if added.end > MAX_END:
                raise GapTooWide(lane=row.lane.key.name, ranges=added.end, limit=MAX_HOLES)
            if side.stopped or part.gate != side.gate or added & truth:
                raise GateChanged(lane=row.lane.key.name, gate=part.gate)
            new, truth = new | added, truth | added
        done = side.done.add(new)
        # What others carried is missing here, but nobody waits for it.
        holes = len(done.closed - row.sides[Side.DESTINATION].done.truth)
        if holes > MAX_HOLES and len(done.closed) > len(side.done.closed):
            raise GapTooWide(lane=row.lane.key.name, ranges=holes, limit=MAX_HOLES)
        return done

    def _store(self, fence: Fence, row: LaneRow, part: Acceptance, at: Timestamp) -> None:
        proof_id = len(self._state.proofs) + 1
        self._state.proofs[proof_id] = ProofRow(
            StoredProof(proof_id=proof_id, gate=part.gate, proof=part.proof),
            row.lane.lane_id,
            Side.SOURCE,
            fence.epoch,
        )
        denials = {denial.sequence: denial.detail for denial in part.denials}
        for packet in part.packets:
            row.exceptions.pop(packet.sequence, None)
            row.packets[packet.sequence] = StoredPacket(
                sequence=packet.sequence,
                content=packet.content,
                timeout_timestamp=packet.timeout_timestamp,
                proof_id=proof_id,
                accepted_at=at,
                denial=denials.get(packet.sequence, ""),
            )
        for denial in part.denials:
            row.exceptions[denial.sequence] = _denied(denial, at)
        first = part.packets[0].sequence
        row.timeouts[first] = TimeoutBatch(
            lane_id=row.lane.lane_id,
            first=first,
            last=part.packets[-1].sequence,
            earliest=min(packet.timeout_timestamp for packet in part.packets),
        )


def among(stored: Mapping[int, object], numbers: RangeSet) -> Iterable[int]:
    """Those of *numbers* that are keys of *stored*, rising; as cheap as the smaller of the two."""
    if len(numbers) > len(stored):
        return sorted(number for number in stored if number in numbers)
    return [number for number in numbers if number in stored]


def _hole(sequence: int, at: Timestamp) -> PacketException:
    return PacketException(
        sequence=sequence,
        kind=ExceptionKind.HOLE,
        reason=Reason.PACKET_NOT_FOUND,
        detail="",
        attempts=0,
        next_attempt_at=None,
        since=at,
    )


def _denied(denial: Denial, at: Timestamp) -> PacketException:
    return PacketException(
        sequence=denial.sequence,
        kind=ExceptionKind.DENIED,
        reason=Reason.POLICY_DENIES_ROUTE,
        detail=denial.detail,
        attempts=0,
        next_attempt_at=None,
        since=at,
    )


def first_of_proofs(proofs: Mapping[int, int]) -> list[int]:
    """The lowest number under each proof, rising; *proofs* by number."""
    firsts: dict[int, int] = {}
    for number in sorted(proofs):
        firsts.setdefault(proofs[number], number)
    return sorted(firsts.values())
