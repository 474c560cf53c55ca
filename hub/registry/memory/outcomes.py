"""Outcomes, and what adapters report executed, in memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hub.core.budget import first_of
from hub.core.errors import GateChanged, IllegalMove, PacketNotFound
from hub.core.lane import Side
from hub.core.lifecycle import PacketEvent, PacketState
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import (
    ExceptionKind,
    OutcomeKind,
    PacketException,
    Reopening,
    StoredOutcome,
    StoredProof,
)
from hub.ports.registry import Topic
from hub.registry.memory.packets import among, first_of_proofs
from hub.registry.memory.state import ProofRow
from hub.registry.narrow import MAX_END
from hub.registry.reopenings import disproven

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.record import Disproof, Settlement
    from hub.core.time import Timestamp
    from hub.ports.leases import Fence
    from hub.registry.memory.state import LaneRow, State


class MemoryOutcomes:
    """``hub.ports.packets.Outcomes`` in memory."""

    def __init__(self, state: State) -> None:
        """The outcomes of *state*."""
        self._state = state

    async def record(self, fence: Fence, settlements: Sequence[Settlement]) -> None:
        """As the port says."""
        parts = sorted(settlements, key=lambda settlement: settlement.lane_id)
        new: dict[int, RangeSet] = {}
        for part in parts:
            added = self._judge(fence, part, new.get(part.lane_id, EMPTY))
            new[part.lane_id] = new.get(part.lane_id, EMPTY) | added
        for lane_id, added in new.items():
            side = self._state.lane(lane_id).sides[Side.DESTINATION]
            side.done = side.done.add(added)
        at = self._state.now()
        for part in parts:
            self._store(fence, part, at)
            self._state.announce(Topic.OUTCOMES, part.lane_id)

    async def record_delivered(self, fence: Fence, lane_id: int, sequences: RangeSet) -> None:
        """As the port says."""
        if not sequences:
            return
        side = self._state.fenced_side(fence, lane_id, Side.DESTINATION)
        row = self._state.lane(lane_id)
        unknown = sequences - row.sides[Side.SOURCE].done.truth
        if unknown:
            raise PacketNotFound(name=f"{row.lane.key.name}/packets/{unknown.first}")
        side.progress = side.progress.add(sequences, needless=side.done.truth)

    async def record_completed(self, fence: Fence, lane_id: int, indexes: RangeSet) -> None:
        """As the port says."""
        if not indexes:
            return
        side = self._state.fenced_side(fence, lane_id, Side.SOURCE)
        if indexes.end > self._state.lane(lane_id).sides[Side.DESTINATION].outcome_count:
            raise IllegalMove(state=PacketState.ACCEPTED, event=PacketEvent.COMPLETE)
        side.progress = side.progress.add(indexes)

    async def reopen(
        self, fence: Fence, lane_id: int, gate: int, found: Sequence[Disproof]
    ) -> Mapping[int, int]:
        """As the port says."""
        side = self._state.fenced_side(fence, lane_id, Side.SOURCE)
        row = self._state.lane(lane_id)
        if side.gate != gate:
            raise GateChanged(lane=row.lane.key.name, gate=gate)
        executed = side.progress.truth
        gone = {
            one.outcome_index: one
            for one in found
            if one.outcome_index in executed and needs_packet(row.outcomes[one.outcome_index].kind)
        }
        side.progress = side.progress.remove(RangeSet.of(gone))
        side.reopened_count += len(gone)
        times = Counter([one.outcome_index for one, _ in row.reopenings])
        times.update(gone.keys())
        for index, one in sorted(gone.items()):
            self._reopen(row, one, times[index])
        return {index: times[index] for index in gone}

    async def reopenings(self, lane_id: int, sequence: int) -> Sequence[Reopening]:
        """As the port says."""
        noted = self._state.known(lane_id).reopenings
        return [
            Reopening(height=one.height, reopened_at=at)
            for one, at in noted
            if one.sequence == sequence
        ]

    async def read(
        self, lane_id: int, indexes: RangeSet, max_bytes: int | None = None
    ) -> Sequence[StoredOutcome]:
        """As the port says."""
        outcomes = self._state.known(lane_id).outcomes
        known = indexes & RangeSet.span(0, len(outcomes))
        return first_of((outcomes[index] for index in known), max_bytes)

    async def frame_starts(self, lane_id: int, indexes: RangeSet) -> Sequence[int]:
        """As the port says."""
        found = await self.read(lane_id, indexes)
        return first_of_proofs({o.outcome_index: o.proof_id for o in found})

    async def under_proof(self, lane_id: int, proof_id: int, indexes: RangeSet) -> RangeSet:
        """As the port says."""
        outcomes = self._state.known(lane_id).outcomes
        known = indexes & RangeSet.span(0, len(outcomes))
        return RangeSet.of([index for index in known if outcomes[index].proof_id == proof_id])

    async def find(
        self, lane_id: int, sequences: RangeSet, max_bytes: int | None = None
    ) -> Sequence[StoredOutcome]:
        """As the port says."""
        row = self._state.known(lane_id)
        indexes = [row.outcome_of[sequence] for sequence in among(row.outcome_of, sequences)]
        return first_of((row.outcomes[index] for index in indexes), max_bytes)

    def _reopen(self, row: LaneRow, disproof: Disproof, times: int) -> None:
        at = self._state.now()
        row.reopenings.append((disproof, at))
        error = disproven(row.lane.key.name, disproof)
        old = row.exceptions.get(disproof.sequence)
        is_same = old is not None and old.kind is ExceptionKind.RETRY
        row.exceptions[disproof.sequence] = PacketException(
            sequence=disproof.sequence,
            kind=ExceptionKind.RETRY,
            reason=error.reason,
            detail=str(error),
            attempts=times,
            next_attempt_at=None,
            since=old.since if old is not None and is_same else at,
        )

    def _judge(self, fence: Fence, part: Settlement, before: RangeSet) -> RangeSet:
        """The sequences of *part*: none has an outcome, or is in *before*. Raises as ``record``."""
        side = self._state.fenced_side(fence, part.lane_id, Side.DESTINATION)
        row = self._state.lane(part.lane_id)
        added = RangeSet.of([outcome.sequence for outcome in part.outcomes])
        if added.end > MAX_END:
            raise PacketNotFound(name=f"{row.lane.key.name}/packets/{MAX_END}")
        if side.stopped or part.gate != side.gate or added & (side.done.truth | before):
            raise GateChanged(lane=row.lane.key.name, gate=part.gate)
        source = row.sides[Side.SOURCE]
        proven = RangeSet.of([o.sequence for o in part.outcomes if needs_packet(o.kind)])
        if part.source_gate is not None and (
            part.source_gate != source.gate or (added - proven) & source.done.truth
        ):
            raise GateChanged(lane=row.lane.key.name, gate=part.source_gate)
        unknown = proven - source.done.truth
        if unknown:
            raise PacketNotFound(name=f"{row.lane.key.name}/packets/{unknown.first}")
        return added

    def _store(self, fence: Fence, part: Settlement, at: Timestamp) -> None:
        row = self._state.lane(part.lane_id)
        proof_id = len(self._state.proofs) + 1
        self._state.proofs[proof_id] = ProofRow(
            StoredProof(proof_id=proof_id, gate=part.gate, proof=part.proof),
            part.lane_id,
            Side.DESTINATION,
            fence.epoch,
        )
        for outcome in part.outcomes:
            row.exceptions.pop(outcome.sequence, None)
            row.outcome_of[outcome.sequence] = len(row.outcomes)
            stored = StoredOutcome(
                outcome_index=len(row.outcomes),
                sequence=outcome.sequence,
                kind=outcome.kind,
                content=outcome.content,
                proof_id=proof_id,
                recorded_at=at,
            )
            row.outcomes.append(stored)
        row.sides[Side.DESTINATION].outcome_count = len(row.outcomes)


def needs_packet(kind: OutcomeKind) -> bool:
    """Whether an outcome of *kind* can only be that of an accepted packet."""
    return kind is not OutcomeKind.SETTLED_ELSEWHERE
