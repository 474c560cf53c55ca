"""What one call to the packet path brings, as the arrays that its statement takes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import OutcomeKind, StoredOutcome, StoredPacket, StoredProof
from hub.registry.moments import timestamp
from hub.registry.multirange import to_text
from hub.registry.narrow import MAX_END
from hub.registry.recent import PROOFS
from hub.registry.skipped import encode_skipped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hub.core.record import Acceptance, Settlement
    from hub.ports.leases import Fence
    from hub.registry.recent import Facts

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class AcceptOffer:
    """Acceptances by lane, lanes rising."""

    lanes: Mapping[int, list[Acceptance]]
    added: Mapping[int, RangeSet]
    is_plain: bool
    """Whether one statement can judge it: gates agree, no sequence stands twice or is too high."""

    @classmethod
    def of(cls, acceptances: Iterable[Acceptance]) -> AcceptOffer:
        """The offer of *acceptances*."""
        lanes = _by_lane(acceptances)
        added: dict[int, RangeSet] = {}
        count = 0
        for lane_id, parts in lanes.items():
            for part in parts:
                count += len(part.packets)
                sequences = RangeSet.of([packet.sequence for packet in part.packets])
                added[lane_id] = added.get(lane_id, EMPTY) | sequences
        return cls(lanes, added, _is_plain(lanes, added, count))

    def arguments(self, fence: Fence) -> tuple[Any, ...]:
        """The parameters of ``ACCEPT`` and ``ACCEPT_LOCKED``."""
        frames = _frames(self.lanes)
        packets = [(at, packet) for at, part in enumerate(frames, 1) for packet in part.packets]
        denials = [(part.lane_id, denial) for part in frames for denial in part.denials]
        return (
            fence.peer,
            fence.epoch,
            *_lane_arrays(self.lanes, self.added),
            *_frame_arrays(frames),
            [part.packets[0].sequence for part in frames],
            [part.packets[-1].sequence for part in frames],
            [min([packet.timeout_timestamp for packet in part.packets]) for part in frames],
            [at for at, _ in packets],
            [packet.sequence for _, packet in packets],
            [packet.timeout_timestamp for _, packet in packets],
            [packet.content for _, packet in packets],
            [lane_id for lane_id, _ in denials],
            [denial.sequence for _, denial in denials],
            [denial.detail for _, denial in denials],
        )

    def remember(self, rows: Iterable[Any], recent: Facts) -> None:
        """The offer is stored as *rows*, the answer of the statement, tell: *recent* knows it."""
        for part, row in zip(_frames(self.lanes), rows, strict=True):
            at = timestamp(row["at"])
            denials = {denial.sequence: denial.detail for denial in part.denials}
            facts = {
                packet.sequence: StoredPacket(
                    sequence=packet.sequence,
                    content=packet.content,
                    timeout_timestamp=packet.timeout_timestamp,
                    proof_id=row["proof_id"],
                    accepted_at=at,
                    denial=denials.get(packet.sequence, ""),
                )
                for packet in part.packets
            }
            size = sum([len(packet.content) for packet in part.packets])
            recent.packets.keep(part.lane_id, facts, size)
            _remember_proof(part, row["proof_id"], recent)


@dataclass(frozen=True, slots=True)
class RecordOffer:
    """Settlements by lane, lanes rising."""

    lanes: Mapping[int, list[Settlement]]
    added: Mapping[int, RangeSet]
    proven: Mapping[int, RangeSet]
    """Those that only an accepted packet can have."""
    is_plain: bool
    """Whether one statement can judge it: gates agree and are the destination's alone, no sequence
    stands twice or is too high."""

    @classmethod
    def of(cls, settlements: Iterable[Settlement]) -> RecordOffer:
        """The offer of *settlements*."""
        lanes = _by_lane(settlements)
        added: dict[int, RangeSet] = {}
        proven: dict[int, RangeSet] = {}
        count = 0
        for lane_id, parts in lanes.items():
            outcomes = [outcome for part in parts for outcome in part.outcomes]
            count += len(outcomes)
            added[lane_id] = RangeSet.of([outcome.sequence for outcome in outcomes])
            proven[lane_id] = proven_sequences(parts)
        of_source = any(part.source_gate is not None for parts in lanes.values() for part in parts)
        is_plain = not of_source and _is_plain(lanes, added, count)
        return cls(lanes, added, proven, is_plain)

    def arguments(self, fence: Fence) -> tuple[Any, ...]:
        """The parameters of ``RECORD`` and ``RECORD_LOCKED``."""
        frames = _frames(self.lanes)
        outcomes = [(at, outcome) for at, part in enumerate(frames, 1) for outcome in part.outcomes]
        return (
            fence.peer,
            fence.epoch,
            *_lane_arrays(self.lanes, self.added),
            [to_text(self.proven[lane_id]) for lane_id in self.lanes],
            [len(self.added[lane_id]) for lane_id in self.lanes],
            *_frame_arrays(frames),
            [at for at, _ in outcomes],
            [outcome.sequence for _, outcome in outcomes],
            [outcome.kind for _, outcome in outcomes],
            [outcome.content for _, outcome in outcomes],
        )

    def remember(self, rows: Iterable[Any], recent: Facts) -> None:
        """The offer is stored as *rows*, the answer of the statement, tell: *recent* knows it."""
        taken: Counter[int] = Counter()
        for part, row in zip(_frames(self.lanes), rows, strict=True):
            at, first = timestamp(row["at"]), row["first_index"] + taken[part.lane_id]
            facts = {
                index: StoredOutcome(
                    outcome_index=index,
                    sequence=outcome.sequence,
                    kind=outcome.kind,
                    content=outcome.content,
                    proof_id=row["proof_id"],
                    recorded_at=at,
                )
                for index, outcome in enumerate(part.outcomes, first)
            }
            taken[part.lane_id] += len(facts)
            size = sum([len(outcome.content) for outcome in part.outcomes])
            recent.outcomes.keep(part.lane_id, facts, size)
            _remember_proof(part, row["proof_id"], recent)


def proven_sequences(parts: Sequence[Settlement]) -> RangeSet:
    """The sequences whose outcome only an accepted packet can have."""
    return RangeSet.of(
        [
            outcome.sequence
            for part in parts
            for outcome in part.outcomes
            if outcome.kind is not OutcomeKind.SETTLED_ELSEWHERE
        ]
    )


def _frames(lanes: Mapping[int, list[P]]) -> list[P]:
    """All parts in the order in which a statement takes them."""
    return [part for parts in lanes.values() for part in parts]


def _remember_proof(part: Acceptance | Settlement, proof_id: int, recent: Facts) -> None:
    stored = StoredProof(proof_id=proof_id, gate=part.gate, proof=part.proof)
    recent.proofs.keep(PROOFS, {proof_id: stored}, len(part.proof.content))


def _by_lane(parts: Iterable[Any]) -> dict[int, list[Any]]:
    lanes: dict[int, list[Any]] = {}
    for part in sorted(parts, key=lambda part: part.lane_id):
        lanes.setdefault(part.lane_id, []).append(part)
    return lanes


def _is_plain(
    lanes: Mapping[int, Sequence[Acceptance | Settlement]],
    added: Mapping[int, RangeSet],
    count: int,
) -> bool:
    """Whether the parts agree on gates, and their *count* numbers are distinct and storable."""
    agree = all(part.gate == parts[0].gate for parts in lanes.values() for part in parts)
    fit = all(numbers.end <= MAX_END for numbers in added.values())
    return agree and fit and count == sum(map(len, added.values()))


def _lane_arrays(
    lanes: Mapping[int, Sequence[Acceptance | Settlement]], added: Mapping[int, RangeSet]
) -> tuple[list[Any], ...]:
    """Lane, gate and new numbers of each lane."""
    return (
        list(lanes),
        [parts[0].gate for parts in lanes.values()],
        [to_text(added[lane_id]) for lane_id in lanes],
    )


def _frame_arrays(frames: Sequence[Acceptance | Settlement]) -> tuple[list[Any], ...]:
    """Lane, gate and proof of each frame."""
    return (
        [part.lane_id for part in frames],
        [part.gate for part in frames],
        [part.proof.height for part in frames],
        [part.proof.leaf_count for part in frames],
        [encode_skipped(part.proof.skipped) for part in frames],
        [part.proof.content for part in frames],
    )
