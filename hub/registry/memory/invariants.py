"""What always holds, checked over what is in memory; invariants.py says the same in SQL.

Each check yields one line of text for each record that breaks it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from hub.core.invariants import LOOKS_AGAIN_WITHIN
from hub.core.lane import LaneState, Order, Side
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, OutcomeKind
from hub.core.time import SECOND, Duration, whole_seconds
from hub.registry.memory.outcomes import needs_packet
from hub.registry.narrow import MAX_RANGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub.registry.memory.state import LaneRow, State

    Check = Callable[[State], Iterator[str]]

CLOCK_STEP: Final = Duration(10 * SECOND)
"""By how much the database's clock may have been set back between two records."""


def _one_packet_per_sequence(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        for sequence, packet in row.packets.items():
            if packet.sequence != sequence:
                yield f"lane {row.lane.lane_id} sequence {packet.sequence}"


def _one_effect_per_sequence(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        counted = Counter([outcome.sequence for outcome in row.outcomes])
        yield from (f"lane {row.lane.lane_id} sequence {s}" for s, n in counted.items() if n > 1)


def _no_outcome_without_packet(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        for outcome in row.outcomes:
            if needs_packet(outcome.kind) and outcome.sequence not in row.packets:
                yield f"lane {row.lane.lane_id} sequence {outcome.sequence}"


def _executed_xor_refunded(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        executed = {o.sequence for o in row.outcomes if o.kind is OutcomeKind.ACKNOWLEDGEMENT}
        refunded = {o.sequence for o in row.outcomes if o.kind is OutcomeKind.ABSENCE}
        yield from (f"lane {row.lane.lane_id} sequence {s}" for s in executed & refunded)


def _refund_only_with_absence(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        headers = state.headers[row.sides[Side.DESTINATION].peer]
        for outcome in row.outcomes:
            packet = row.packets.get(outcome.sequence)
            if outcome.kind is not OutcomeKind.ABSENCE or packet is None:
                continue
            proof = state.proofs.get(outcome.proof_id)
            header = headers.get(proof.stored.proof.height) if proof is not None else None
            if header is None or whole_seconds(header.state.time) < packet.timeout_timestamp:
                yield f"lane {row.lane.lane_id} sequence {outcome.sequence}"


def _sequences_dense(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        accepted, kept = row.sides[Side.SOURCE].done.truth, RangeSet.of(row.packets)
        if accepted != kept:
            yield f"lane {row.lane.lane_id} counts {len(accepted)} packets, has {len(kept)}"


def _outcomes_dense(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        side = row.sides[Side.DESTINATION]
        settled = RangeSet.of([outcome.sequence for outcome in row.outcomes])
        indexes = [outcome.outcome_index for outcome in row.outcomes]
        if side.done.truth != settled or indexes != list(range(side.outcome_count)):
            yield f"lane {row.lane.lane_id} counts {side.outcome_count}, has {len(settled)}"


def _ordered_outcomes(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        settled = row.sides[Side.DESTINATION].done.truth
        executed = {o.sequence for o in row.outcomes if o.kind is OutcomeKind.ACKNOWLEDGEMENT}
        if row.lane.order is not Order.ENFORCED:
            continue
        for sequence in executed:
            if sequence > row.lane.first_sequence and sequence - 1 not in settled:
                yield f"lane {row.lane.lane_id} sequence {sequence}"


def _equivocation_frozen(state: State) -> Iterator[str]:
    for peer, kept in state.evidence.items():
        client = state.clients[peer]
        since = client.recovered_at or 0
        if client.frozen_at is None and any(found.recorded_at > since for found in kept):
            yield f"peers/{peer}"


def _one_header_per_height(state: State) -> Iterator[str]:
    for peer, headers in state.headers.items():
        for number, header in headers.items():
            if header.state.height.number != number:
                yield f"peers/{peer} height {number}"


def _nothing_after_freeze(state: State) -> Iterator[str]:
    for peer, client in state.clients.items():
        frozen_at = client.frozen_at
        if frozen_at is None:
            continue
        for (owner, number), at in state.header_times.items():
            if owner == peer and at > frozen_at:
                yield f"peers/{peer} height {number}"
        for row in state.lanes.values():
            times = [p.accepted_at for p in row.packets.values()] if _sends(row, peer) else []
            times += [o.recorded_at for o in row.outcomes] if _receives(row, peer) else []
            yield from (f"lane {row.lane.lane_id}" for at in times if at > frozen_at)


def _every_change_audited(state: State) -> Iterator[str]:
    events = {(event.subject, event.revision) for event in state.audit_events}
    changed = [(peer.name, peer.revision) for peer in state.peers.values()]
    changed += [
        (f"peers/{peer}/client", 1)
        for peer, client in state.clients.items()
        if client.frozen_at is not None
    ]
    changed += [(row.lane.key.name, row.lane.revision) for row in state.lanes.values()]
    changed += [(key.name, state.route_revisions[key]) for key in state.routes]
    yield from (f"{name} revision {r}" for name, r in changed if (name, r) not in events)


def _fencing_monotone(state: State) -> Iterator[str]:
    newest: dict[tuple[int, Side], int] = {}
    for number, proof in sorted(state.proofs.items()):
        end = (proof.lane_id, proof.side)
        if proof.epoch < newest.get(end, 0):
            yield f"proof {number} of epoch {proof.epoch}"
        newest[end] = max(proof.epoch, newest.get(end, 0))


def _lease_unique(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        for name, side in row.sides.items():
            lease = state.leases.get(side.peer)
            if side.epoch != (lease.epoch if lease is not None else 0):
                yield f"lane {row.lane.lane_id} {name} epoch {side.epoch}"


def _legal_moves(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        denied = [s for s, e in row.exceptions.items() if e.kind is ExceptionKind.DENIED]
        side = row.sides[Side.DESTINATION]
        known = row.sides[Side.SOURCE].done.truth | side.done.truth
        delivered = side.progress.truth
        wrong = (delivered - known) | (delivered & RangeSet.of(denied))
        yield from (f"lane {row.lane.lane_id} sequence {sequence}" for sequence in wrong)


def _no_overdue_without_exception(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        settled = row.sides[Side.DESTINATION].done.truth
        headers = state.headers.get(row.sides[Side.DESTINATION].peer, {})
        newest = whole_seconds(headers[max(headers)].state.time) if headers else 0
        for sequence, packet in row.packets.items():
            if sequence in settled or sequence in row.exceptions:
                continue
            latest = max(packet.timeout_timestamp, newest + LOOKS_AGAIN_WITHIN)
            if not any(
                batch.first <= sequence <= batch.last and batch.earliest <= latest
                for batch in row.timeouts.values()
            ):
                yield f"lane {row.lane.lane_id} sequence {sequence}"


def _no_zero_hashes(state: State) -> Iterator[str]:
    for peer, headers in state.headers.items():
        for number, header in headers.items():
            kept = header.state
            is_zero = not any(kept.header_hash) or not any(kept.next_validators_hash)
            if is_zero or (kept.root and not any(kept.root)):
                yield f"peers/{peer} height {number}"


def _completed_has_outcome(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        count = row.sides[Side.DESTINATION].outcome_count
        if row.sides[Side.SOURCE].progress.truth.end > count:
            yield f"lane {row.lane.lane_id} has {count} outcomes"


def _reopenings_counted(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        count = row.sides[Side.SOURCE].reopened_count
        if count != len(row.reopenings):
            yield f"lane {row.lane.lane_id} counts {count}, has {len(row.reopenings)}"


def _proof_of_every_fact(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        facts = [(p.proof_id, p.sequence) for p in row.packets.values()]
        facts += [(o.proof_id, o.sequence) for o in row.outcomes]
        for proof_id, sequence in facts:
            if proof_id not in state.proofs:
                yield f"lane {row.lane.lane_id} sequence {sequence}"


def _header_of_every_proof(state: State) -> Iterator[str]:
    for number, proof in state.proofs.items():
        peer, height = state.lanes[proof.lane_id].sides[proof.side].peer, proof.stored.proof.height
        if height not in state.headers[peer]:
            yield f"proof {number} at peers/{peer} height {height}"


def _audit_not_ahead(state: State) -> Iterator[str]:
    newest: Counter[str] = Counter()
    for event in state.audit_events:
        newest[event.subject] = max(newest[event.subject], event.revision)
    standing = [(peer.name, peer.revision) for peer in state.peers.values()]
    standing += [(row.lane.key.name, row.lane.revision) for row in state.lanes.values()]
    standing += [(key.name, state.route_revisions[key]) for key in state.routes]
    yield from (f"{name} revision {r}" for name, r in standing if newest[name] > r)


def _outcome_not_before_packet(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        for outcome in row.outcomes:
            packet = row.packets.get(outcome.sequence)
            if packet is None or not needs_packet(outcome.kind):
                continue
            if outcome.recorded_at < packet.accepted_at - CLOCK_STEP:
                yield f"lane {row.lane.lane_id} sequence {outcome.sequence}"


def _ranges_bounded(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        for name, side in row.sides.items():
            widest = max(len(side.done.stored.ranges), len(side.progress.stored.ranges))
            if widest > MAX_RANGES:
                yield f"lane {row.lane.lane_id} {name} has {widest} ranges"


def _lane_states(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        may_say_why = row.lane.state in {LaneState.PAUSED, LaneState.DRAINING}
        first = min(row.packets, default=row.lane.first_sequence)
        if bool(row.lane.pause_cause) > may_say_why or first < row.lane.first_sequence:
            yield f"lane {row.lane.lane_id} is {row.lane.state}"


def _stopped_sides(state: State) -> Iterator[str]:
    for row in state.lanes.values():
        for name, side in row.sides.items():
            if side.stopped is not state.is_stopped(row.lane, name, side.peer):
                yield f"lane {row.lane.lane_id} {name}"


def _sends(row: LaneRow, peer: str) -> bool:
    return row.sides[Side.SOURCE].peer == peer


def _receives(row: LaneRow, peer: str) -> bool:
    return row.sides[Side.DESTINATION].peer == peer


CHECKS: Final[dict[str, Check]] = {
    "audit_not_ahead": _audit_not_ahead,
    "completed_has_outcome": _completed_has_outcome,
    "equivocation_frozen": _equivocation_frozen,
    "every_change_audited": _every_change_audited,
    "executed_xor_refunded": _executed_xor_refunded,
    "fencing_monotone": _fencing_monotone,
    "header_of_every_proof": _header_of_every_proof,
    "lane_states": _lane_states,
    "lease_unique": _lease_unique,
    "legal_moves": _legal_moves,
    "no_outcome_without_packet": _no_outcome_without_packet,
    "no_overdue_without_exception": _no_overdue_without_exception,
    "no_zero_hashes": _no_zero_hashes,
    "nothing_after_freeze": _nothing_after_freeze,
    "one_effect_per_sequence": _one_effect_per_sequence,
    "one_header_per_height": _one_header_per_height,
    "one_packet_per_sequence": _one_packet_per_sequence,
    "ordered_outcomes": _ordered_outcomes,
    "outcome_not_before_packet": _outcome_not_before_packet,
    "outcomes_dense": _outcomes_dense,
    "proof_of_every_fact": _proof_of_every_fact,
    "ranges_bounded": _ranges_bounded,
    "refund_only_with_absence": _refund_only_with_absence,
    "reopenings_counted": _reopenings_counted,
    "sequences_dense": _sequences_dense,
    "stopped_sides": _stopped_sides,
}
"""Every invariant, by name."""
