"""Outcomes, and what adapters report executed, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import GateChanged, IllegalMove, PacketNotFound
from hub.core.lane import Side
from hub.core.lifecycle import PacketEvent, PacketState
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import OutcomeKind, StoredOutcome, StoredProof
from hub.ports.registry import Topic
from hub.registry.memory.packets import among
from hub.registry.memory.state import ProofRow
from hub.registry.narrow import MAX_END

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.record import Settlement
    from hub.core.time import Timestamp
    from hub.ports.leases import Fence
    from hub.registry.memory.state import State


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

    async def read(self, lane_id: int, indexes: RangeSet) -> Sequence[StoredOutcome]:
        """As the port says."""
        outcomes = self._state.known(lane_id).outcomes
        known = indexes & RangeSet.span(0, len(outcomes))
        return [outcomes[index] for index in known]

    async def find(self, lane_id: int, sequences: RangeSet) -> Sequence[StoredOutcome]:
        """As the port says."""
        row = self._state.known(lane_id)
        indexes = [row.outcome_of[sequence] for sequence in among(row.outcome_of, sequences)]
        return [row.outcomes[index] for index in indexes]

    def _judge(self, fence: Fence, part: Settlement, before: RangeSet) -> RangeSet:
        """The sequences of *part*: none has an outcome, or is in *before*. Raises as ``record``."""
        side = self._state.fenced_side(fence, part.lane_id, Side.DESTINATION)
        row = self._state.lane(part.lane_id)
        added = RangeSet.of([outcome.sequence for outcome in part.outcomes])
        if added.end > MAX_END:
            raise PacketNotFound(name=f"{row.lane.key.name}/packets/{MAX_END}")
        if side.stopped or part.gate != side.gate or added & (side.done.truth | before):
            raise GateChanged(lane=row.lane.key.name, gate=part.gate)
        proven = RangeSet.of([o.sequence for o in part.outcomes if needs_packet(o.kind)])
        unknown = proven - row.sides[Side.SOURCE].done.truth
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
