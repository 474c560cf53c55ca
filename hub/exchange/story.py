"""Show packets: where each stands, what happened to it, and what it waits for.

All of it is folded from recorded facts; nothing here changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hub.core.budget import is_full
from hub.core.errors import PacketNotFound
from hub.core.lane import LaneState
from hub.core.lifecycle import TERMINAL, PacketEvent, PacketState
from hub.core.ranges import RangeSet
from hub.core.record import AttemptKind, ExceptionKind, OutcomeKind
from hub.core.standing import OUTCOME_EVENTS, PacketStanding, PacketStory, StoryEvent, state_of
from hub.exchange.reading import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence

    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey, LaneView
    from hub.core.record import (
        Attempt,
        PacketException,
        Reopening,
        StoredOutcome,
        StoredPacket,
        StoredProof,
    )
    from hub.core.time import Timestamp
    from hub.ports.registry import Registry

MAX_ATTEMPTS: Final = 100
"""Of a story; the newest."""
SCAN_LIMIT: Final = 5_000
"""Packets that one page looks at; where it is narrowed to a state, it may then be short."""
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024
"""Of packets and answers; a page ends with the one that goes beyond."""
_SCAN_AT_ONCE: Final = 100
"""A packet may have 256 KiB, its answer too."""
_PART: Final = 1000
"""Packets of a part at most: the database measures all that are asked for, to find the first."""
_LAST_SECOND: Final = 253_402_300_799
"""The end of the year 9999, s."""


@dataclass(frozen=True, slots=True)
class PacketPage:
    """A page of a lane's packets, in order."""

    standings: tuple[PacketStanding, ...]
    after: int
    """The sequence after which the next page begins."""
    more: bool


async def get(registry: Registry, key: LaneKey, sequence: int) -> PacketStanding:
    """Where the packet stands.

    Raises ``LaneNotFound``, ``PacketNotFound``, ``SequenceRetired``.
    """
    return (await _find(registry, key, sequence))[1]


async def page(
    registry: Registry,
    key: LaneKey,
    state: PacketState | None,
    after: int,
    limit: int,
    *,
    before: Timestamp | None = None,
) -> PacketPage:
    """At most *limit* accepted packets above *after*, and 4 MiB; only those in *state* if given.

    With *before* only those accepted by then. Raises ``LaneNotFound``.
    """
    view = await _view(registry, key)
    found: list[PacketStanding] = []
    scanned = size = 0
    while scanned < SCAN_LIMIT:
        standings, is_last = await _scan(registry, view, after)
        for standing in standings:
            if len(found) == limit or size > MAX_PAGE_BYTES:
                return PacketPage(tuple(found), after, more=True)
            after = standing.sequence
            if (state is None or standing.state is state) and _is_by(standing, before):
                found.append(standing)
                size += size_of(standing)
        scanned += len(standings)
        if is_last:
            return PacketPage(tuple(found), after, more=False)
    return PacketPage(tuple(found), after, more=True)


async def in_parts(
    registry: Registry, key: LaneKey, sequences: RangeSet
) -> AsyncIterator[tuple[RangeSet, Mapping[int, PacketStanding]]]:
    """*sequences*, some at a time, in order, and where those of them stand that are known.

    Known is what was accepted, or settled elsewhere. No part has much more than 1 MiB of packets
    and as much of answers. Raises ``LaneNotFound``, ``SequenceRetired``.
    """
    while sequences:
        view = await _view(registry, key)
        part, facts = await _part(registry, view, sequences.take(_PART))
        known = sorted({*facts.stored, *facts.outcomes})
        yield part, {sequence: facts.standing(sequence) for sequence in known}
        sequences -= part


def size_of(standing: PacketStanding) -> int:
    """Bytes of the packet and of its answer."""
    facts = (standing.stored, standing.outcome)
    return sum(len(fact.content) for fact in facts if fact is not None)


async def explain(registry: Registry, key: LaneKey, sequence: int) -> PacketStory:
    """The packet's whole story. Raises as ``get``."""
    view, standing = await _find(registry, key, sequence)
    attempts = await registry.exceptions.attempts(view.lane.lane_id, sequence, MAX_ATTEMPTS)
    reopenings = await registry.outcomes.reopenings(view.lane.lane_id, sequence)
    leases = await registry.leases.all()
    attached = {lease.peer for lease in leases if lease.attached}
    return PacketStory(
        standing=standing,
        events=tuple(_events(view, standing, attempts, reopenings)),
        waiting_for=waiting_for(view, standing, attached),
    )


def waiting_for(view: LaneView, standing: PacketStanding, attached: Collection[PeerId]) -> str:
    """What the packet waits for, in a sentence; empty once it has ended."""
    key = view.lane.key
    match standing.state:
        case PacketState.ACCEPTED:
            return _before_delivery(view, standing, attached)
        case PacketState.DENIED:
            return (
                f"its timeout{_deadline(standing)} at peers/{key.destination_peer}, then a refund"
            )
        case PacketState.DELIVERED:
            if view.destination_stopped:
                return f"peers/{key.destination_peer}/client is stopped: {view.destination_stopped}"
            what = f"the proven acknowledgement of peers/{key.destination_peer}"
            return _by(key.destination_peer, attached, what)
        case PacketState.ACKNOWLEDGED:
            what = f"peers/{key.source_peer} to execute the acknowledgement"
            return _after_outcome(key, standing, attached, what)
        case PacketState.TIMED_OUT:
            what = f"peers/{key.source_peer} to execute the refund"
            return _after_outcome(key, standing, attached, what)
        case _:
            return ""


def _before_delivery(view: LaneView, standing: PacketStanding, attached: Collection[PeerId]) -> str:
    key, exception = view.lane.key, standing.exception
    late = f"; it times out{_deadline(standing)}"
    if view.lane.state is LaneState.PAUSED:
        return f"the lane to be resumed, paused for: {view.lane.pause_cause}{late}"
    if view.source_stopped:
        return f"peers/{key.source_peer}/client, stopped for: {view.source_stopped}{late}"
    if view.destination_stopped:
        return f"peers/{key.destination_peer}/client, stopped for: {view.destination_stopped}"
    if exception is not None and exception.kind is ExceptionKind.PARKED:
        return f"an operator: {exception.detail}{late}"
    if exception is not None and exception.kind is ExceptionKind.RETRY:
        return f"attempt {exception.attempts + 1}, the last failed: {exception.detail}{late}"
    return _by(key.destination_peer, attached, f"peers/{key.destination_peer} to execute it{late}")


def _after_outcome(
    key: LaneKey, standing: PacketStanding, attached: Collection[PeerId], what: str
) -> str:
    exception = standing.exception
    if exception is not None and exception.kind is ExceptionKind.PARKED:
        return f"an operator: {exception.detail}; it is tried again when the adapter attaches anew"
    if exception is not None and exception.kind is ExceptionKind.RETRY:
        what = f"{what}, attempt {exception.attempts + 1}, the last failed: {exception.detail}"
    return _by(key.source_peer, attached, what)


def _by(peer: PeerId, attached: Collection[PeerId], what: str) -> str:
    return what if peer in attached else f"the adapter of peers/{peer} to attach, then {what}"


def _deadline(standing: PacketStanding) -> str:
    seconds = standing.stored.timeout_timestamp if standing.stored is not None else 0
    if seconds > _LAST_SECOND:
        return f" at {seconds} s"
    return f" at {datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def _events(
    view: LaneView,
    standing: PacketStanding,
    attempts: Sequence[Attempt],
    reopenings: Sequence[Reopening],
) -> Iterable[StoryEvent]:
    """What happened, oldest first; what adapters report has no time of its own."""
    key, stored, outcome = view.lane.key, standing.stored, standing.outcome
    if stored is not None:
        detail = f"its commitment is proven on peers/{key.source_peer}"
        yield StoryEvent(
            event="ACCEPT", detail=detail, at=stored.accepted_at, proof_height=standing.proof_height
        )
        if stored.denial:
            yield StoryEvent(
                event="DENY", detail=stored.denial, at=stored.accepted_at, proof_height=0
            )
    tried = [_attempted(attempt) for attempt in attempts]
    early = [one for one in tried if outcome is None or (one.at or 0) < outcome.recorded_at]
    yield from early
    if standing.sequence in view.destination.progress:
        detail = f"peers/{key.destination_peer} reports it executed"
        yield StoryEvent(event=PacketEvent.DELIVER, detail=detail, at=None, proof_height=0)
    if outcome is not None:
        yield from _outcome_events(view, standing, outcome, tried[len(early) :], reopenings)


def _attempted(attempt: Attempt) -> StoryEvent:
    if attempt.kind is AttemptKind.ASKED:
        detail = f"{attempt.peer} asked to try it again"
        return StoryEvent(event="RETRY", detail=detail, at=attempt.at, proof_height=0)
    detail = f"peers/{attempt.peer} refused it: {attempt.reason}: {attempt.detail}"
    if attempt.kind is AttemptKind.PARKED:
        detail += "; parked"
    return StoryEvent(event="ATTEMPT", detail=detail, at=attempt.at, proof_height=0)


def _outcome_events(
    view: LaneView,
    standing: PacketStanding,
    outcome: StoredOutcome,
    attempts: Iterable[StoryEvent],
    reopenings: Sequence[Reopening],
) -> Iterable[StoryEvent]:
    """The outcome, then the *attempts* to have it executed at the source, as was proven or not."""
    key = view.lane.key
    source, destination = f"peers/{key.source_peer}", f"peers/{key.destination_peer}"
    details = {
        OutcomeKind.ACKNOWLEDGEMENT: f"its acknowledgement is proven on {destination}",
        OutcomeKind.ABSENCE: f"it is proven not received in time on {destination}",
        OutcomeKind.SETTLED_ELSEWHERE: f"its commitment is proven gone on {source}",
    }
    event, execution = OUTCOME_EVENTS.get(outcome.kind, (PacketState.SETTLED_ELSEWHERE, None))
    yield StoryEvent(
        event=event,
        detail=details[outcome.kind],
        at=outcome.recorded_at,
        proof_height=standing.outcome_height,
    )
    if execution is None:
        yield from attempts
        return
    what = "acknowledgement" if execution is PacketEvent.COMPLETE else "refund"
    report = StoryEvent(
        event=execution, detail=f"{source} reports the {what} executed", at=None, proof_height=0
    )
    yield from _executions(list(attempts), reopenings, report, source)
    if standing.state in TERMINAL:
        yield report


def _executions(
    attempts: Sequence[StoryEvent],
    reopenings: Sequence[Reopening],
    report: StoryEvent,
    source: str,
) -> Iterable[StoryEvent]:
    """The *attempts* at the source, and between them each *report* that was disproven there."""
    told = 0
    for reopening in reopenings:
        before = [one for one in attempts[told:] if (one.at or 0) <= reopening.reopened_at]
        told += len(before)
        yield from before
        yield report
        yield StoryEvent(
            event=PacketEvent.REOPEN,
            detail=f"its commitment is proven to stand on {source}: it is open again",
            at=reopening.reopened_at,
            proof_height=reopening.height,
        )
    yield from attempts[told:]


def _is_by(standing: PacketStanding, before: Timestamp | None) -> bool:
    """Whether the packet was accepted by then."""
    stored = standing.stored
    return before is None or (stored is not None and stored.accepted_at <= before)


async def _view(registry: Registry, key: LaneKey) -> LaneView:
    lane = await registry.lanes.get(key)
    return await registry.lanes.view(lane.lane_id)


async def _find(registry: Registry, key: LaneKey, sequence: int) -> tuple[LaneView, PacketStanding]:
    view = await _view(registry, key)
    _, facts = await _part(registry, view, RangeSet.of([sequence]))
    if not facts.stored and not facts.outcomes:
        raise PacketNotFound(name=f"{key.name}/packets/{sequence}")
    return view, facts.standing(sequence)


async def _scan(
    registry: Registry, view: LaneView, after: int
) -> tuple[Sequence[PacketStanding], bool]:
    """Some packets above *after*, and whether there are no more."""
    stored = await registry.packets.page(view.lane.lane_id, after, _SCAN_AT_ONCE, AT_ONCE)
    sequences = RangeSet.of([packet.sequence for packet in stored])
    part, facts = await _facts(registry, view, stored, sequences)
    is_last = len(stored) < _SCAN_AT_ONCE and not is_full(stored, AT_ONCE) and part == sequences
    return [facts.standing(sequence) for sequence in part], is_last


async def _part(registry: Registry, view: LaneView, sequences: RangeSet) -> tuple[RangeSet, _Facts]:
    """The first of *sequences*, as many as are read at once, and what is recorded of them."""
    stored = await registry.packets.read(view.lane.lane_id, sequences, AT_ONCE)
    if is_full(stored, AT_ONCE):
        sequences &= RangeSet.span(0, stored[-1].sequence + 1)
    return await _facts(registry, view, stored, sequences)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is recorded of some packets of a lane, by sequence; and the proofs of it, by id."""

    view: LaneView
    stored: Mapping[int, StoredPacket]
    outcomes: Mapping[int, StoredOutcome]
    exceptions: Mapping[int, PacketException]
    proofs: Mapping[int, StoredProof]

    def standing(self, sequence: int) -> PacketStanding:
        """Where the packet stands."""
        view, stored = self.view, self.stored.get(sequence)
        outcome, exception = self.outcomes.get(sequence), self.exceptions.get(sequence)
        state = state_of(
            outcome=outcome.kind if outcome is not None else None,
            executed=outcome is not None and outcome.outcome_index in view.source.progress,
            delivered=sequence in view.destination.progress,
            denied=stored is not None and bool(stored.denial),
        )
        return PacketStanding(
            lane=view.lane.key,
            sequence=sequence,
            stored=stored,
            state=state,
            proof_height=self._height(stored.proof_id) if stored is not None else 0,
            outcome=outcome,
            outcome_height=self._height(outcome.proof_id) if outcome is not None else 0,
            exception=exception,
        )

    def _height(self, proof_id: int) -> int:
        found = self.proofs.get(proof_id)
        return found.proof.height if found is not None else 0


async def _facts(
    registry: Registry, view: LaneView, stored: Sequence[StoredPacket], sequences: RangeSet
) -> tuple[RangeSet, _Facts]:
    """The first of *sequences*, whose answers are read at once, and what is recorded of them."""
    lane_id = view.lane.lane_id
    outcomes = await registry.outcomes.find(lane_id, sequences, AT_ONCE)
    if is_full(outcomes, AT_ONCE):
        sequences &= RangeSet.span(0, outcomes[-1].sequence + 1)
        stored = [packet for packet in stored if packet.sequence in sequences]
    exceptions = await registry.exceptions.among(lane_id, sequences)
    proof_ids = {packet.proof_id for packet in stored} | {found.proof_id for found in outcomes}
    facts = _Facts(
        view=view,
        stored={packet.sequence: packet for packet in stored},
        outcomes={found.sequence: found for found in outcomes},
        exceptions={found.sequence: found for found in exceptions},
        proofs=await registry.packets.proofs(sorted(proof_ids)),
    )
    return sequences, facts
