"""Record proven outcomes: acknowledgements and absences, one for each packet, never both.

An outcome is taken only for a packet that was accepted; that a sequence is settled elsewhere, only
for one that was not. The same outcome again is success; another one is misbehaviour of the
destination's chain: both are kept, its client freezes, and nothing that came with it is taken.

Source: design section 3 (executed XOR refunded); ICS-04 v2 (acknowledge, time out).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hub.core.errors import (
    ClientFrozen,
    CommitUnknown,
    GateChanged,
    HubError,
    IllegalMove,
    LaneNotOpen,
    OutcomeDiffers,
    PacketNotFound,
    PeerSuspended,
)
from hub.core.lane import LaneState
from hub.core.lifecycle import PacketState
from hub.core.ranges import RangeSet
from hub.core.record import FrameProof, NewOutcome, OutcomeKind, Settlement, SkippedLeaf
from hub.exchange.packets import JUDGE_ATTEMPTS, Judgement, against_conflicts, check_stands
from hub.exchange.reading import in_parts

if TYPE_CHECKING:
    from hub.core.lane import LaneView
    from hub.ports.leases import Fence
    from hub.ports.registry import Registry

_ANSWER = OutcomeKind.ACKNOWLEDGEMENT
_TAKING = frozenset({LaneState.OPEN, LaneState.PAUSED, LaneState.DRAINING})


class ShownAnswers(Protocol):
    """Acknowledgements that are claimed."""

    @property
    def sequences(self) -> tuple[int, ...]:
        """Rising."""
        ...

    @property
    def contents(self) -> tuple[bytes, ...]:
        """Their canonical bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenOutcomes:
    """Outcomes of one lane's packets, proven under one verified root of the destination.

    That packets are settled elsewhere the source's root proves.
    """

    outcomes: tuple[NewOutcome, ...]
    """Sequences rising."""
    commitments: tuple[bytes, ...]
    """What the proof shows for each; empty for an absence."""
    proof_height: int
    proof: bytes
    """A proof batch of acknowledgements, or the whole proof of one absence."""


async def record(
    registry: Registry, fence: Fence, view: LaneView, proven: ProvenOutcomes
) -> tuple[Judgement, LaneView]:
    """What became of each outcome, durable now; and the lane as it was judged by.

    A paused lane still takes outcomes. Raises as ``check_takes_outcomes``, or as ``check_stands``;
    ``LeaseLost``, ``GateChanged`` when the lane never rests, ``RegistryUnreachable``.
    """
    if _is_of_source(proven):
        # The destination's gate does not tell of the source's client.
        view = await registry.lanes.view(view.lane.lane_id)
    for _ in range(JUDGE_ATTEMPTS):
        check_takes_outcomes(view)
        _check_prover(view, proven)
        judgement, settlement = await _judge(registry, view, proven)
        if settlement is None:
            return judgement, view
        try:
            await registry.outcomes.record(fence, [settlement])
        except (GateChanged, CommitUnknown):
            # As for packets: what an unknown commit has done shows as done already.
            view = await registry.lanes.view(view.lane.lane_id)
            continue
        return judgement, view
    raise GateChanged(lane=view.lane.key.name, gate=view.destination.gate)


async def repeated(registry: Registry, view: LaneView, shown: ShownAnswers) -> Judgement | None:
    """The judgement where all answers that are *shown* are recorded already, the same ones.

    No proof is needed for that. None where any of it is new, or differs. Raises
    ``RegistryUnreachable``.
    """
    sequences = RangeSet.of(shown.sequences)
    if sequences - view.destination.done:
        return None
    # Others may be longer than what is shown, and are not read for that.
    most = sum(map(len, shown.contents)) + 1
    stored = await registry.outcomes.find(view.lane.lane_id, sequences, most)
    known = {one.sequence: one.content for one in stored if one.kind is _ANSWER}
    if known != dict(zip(shown.sequences, shown.contents, strict=True)):
        return None
    return Judgement(already_done=sequences)


def check_takes_outcomes(view: LaneView) -> None:
    """The lane takes outcomes now. Raises ``LaneNotOpen``, ``PeerSuspended`` or ``ClientFrozen``.

    A suspended source is no hindrance: others prove its packets' outcomes.
    """
    if view.lane.state not in _TAKING:
        raise LaneNotOpen(lane=view.lane.key.name, state=view.lane.state)
    destination = view.lane.key.destination_peer
    if destination in view.suspended:
        raise PeerSuspended(peer=f"peers/{destination}")
    if view.destination_stopped:
        client = f"peers/{destination}/client"
        raise ClientFrozen(client=client, cause=view.destination_stopped)


def _is_of_source(proven: ProvenOutcomes) -> bool:
    return any(one.kind is OutcomeKind.SETTLED_ELSEWHERE for one in proven.outcomes)


def _check_prover(view: LaneView, proven: ProvenOutcomes) -> None:
    """Its proof counts: its client goes on. Raises ``ClientFrozen``, or as ``check_stands``."""
    source, destination = view.lane.key.peers
    if not _is_of_source(proven):
        check_stands(destination, view.destination_anchor, proven.proof_height)
        return
    if view.source_stopped:
        raise ClientFrozen(client=f"peers/{source}/client", cause=view.source_stopped)
    check_stands(source, view.source_anchor, proven.proof_height)


async def _judge(
    registry: Registry, view: LaneView, proven: ProvenOutcomes
) -> tuple[Judgement, Settlement | None]:
    sequences = RangeSet.of([outcome.sequence for outcome in proven.outcomes])
    again = sequences & view.destination.done
    known = await _compare(registry, view, again, proven) if again else {}
    for sequence in against_conflicts(sequences, known):
        known[sequence] = ClientFrozen(
            client=f"peers/{view.lane.key.destination_peer}/client",
            cause=f"the same frame shows another outcome on {view.lane.key.name}",
        )
    accepted = await _accepted(registry, view, sequences - again)
    new: list[NewOutcome] = []
    skipped: list[SkippedLeaf] = []
    refused: list[tuple[int, HubError]] = []
    for outcome, commitment in zip(proven.outcomes, proven.commitments, strict=True):
        sequence = outcome.sequence
        if sequence in known:
            error = known[sequence]
        elif outcome.kind is OutcomeKind.SETTLED_ELSEWHERE and sequence in accepted:
            error = IllegalMove(state=PacketState.ACCEPTED, event=outcome.kind)
        elif outcome.kind is not OutcomeKind.SETTLED_ELSEWHERE and sequence not in accepted:
            error = PacketNotFound(name=f"{view.lane.key.name}/packets/{sequence}")
        else:
            new.append(outcome)
            continue
        skipped.append(SkippedLeaf(sequence, commitment))
        if error is not None:
            refused.append((sequence, error))
    judgement = Judgement(
        accepted=RangeSet.of([outcome.sequence for outcome in new]),
        already_done=RangeSet.of([s for s, error in known.items() if error is None]),
        refused=tuple(refused),
    )
    return judgement, _settlement(view, proven, new, skipped)


def _settlement(
    view: LaneView, proven: ProvenOutcomes, new: list[NewOutcome], skipped: list[SkippedLeaf]
) -> Settlement | None:
    """What is to be recorded; None if nothing is new."""
    if not new:
        return None
    return Settlement(
        lane_id=view.lane.lane_id,
        gate=view.destination.gate,
        source_gate=view.source.gate if _is_of_source(proven) else None,
        outcomes=tuple(new),
        proof=FrameProof(
            height=proven.proof_height,
            content=proven.proof,
            leaf_count=len(proven.outcomes),
            skipped=tuple(skipped),
        ),
    )


async def _accepted(registry: Registry, view: LaneView, sequences: RangeSet) -> RangeSet:
    """Those of *sequences* whose packet is accepted; asked again where the view may be old."""
    accepted = sequences & view.source.done
    if accepted == sequences:
        return accepted
    fresh = await registry.lanes.view(view.lane.lane_id)
    return sequences & fresh.source.done


async def _compare(
    registry: Registry, view: LaneView, again: RangeSet, proven: ProvenOutcomes
) -> dict[int, HubError | None]:
    """For each sequence of *again*: None if its outcome is the same, else the conflict."""
    shown = {outcome.sequence: outcome for outcome in proven.outcomes}
    known: dict[int, HubError | None] = dict.fromkeys([s for s in shown if s in again])
    async for part in in_parts(registry.outcomes.find, view.lane.lane_id, again):
        for old in part:
            outcome = shown[old.sequence]
            is_elsewhere = OutcomeKind.SETTLED_ELSEWHERE in {old.kind, outcome.kind}
            same = (old.kind, old.content) == (outcome.kind, outcome.content)
            if not (same or is_elsewhere):
                known[old.sequence] = OutcomeDiffers(
                    lane=view.lane.key.name,
                    sequence=old.sequence,
                    got=f"{outcome.kind} {outcome.content.hex()[:64]}",
                    stored=f"{old.kind} {old.content.hex()[:64]}",
                )
    return known
