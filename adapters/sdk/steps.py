"""What to show of one lane next, as a pure state machine.

::

    wanted ──sent──▶ in flight ──accepted──▶ done
       ▲                │   └──refused for good──▶ given up
       └──── later ◀────┘

At the source the sequences are packets, at the destination acknowledgements. What is wanted is
every sequence from the lane's first that is in none of the other places; the chain knows which of
them exist. A frame that is refused as a whole holds the lane; while it is failing, one frame at a
time asks whether it goes on. Nothing given up ever stops another sequence.

Nothing here reads a clock, draws chance or talks: events come in, effects go out.

Source: design section 5 (resumption from durable cursors; retry with backoff and full jitter).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, assert_never

from adapters.sdk.backoff import delay
from adapters.sdk.submission import Refusal, Verdict
from hub.core.lane import LaneKey, Side
from hub.core.packet import MAX_SEQUENCE
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import Timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.sdk.submission import LaneCursor
    from hub.core.ids import ClientId

UNEXPLAINED: Final = "UNEXPLAINED"
"""Stands for the reason where a verdict leaves an item out."""
_AT_ONCE: Final = Timestamp(0)


@dataclass(frozen=True, slots=True)
class Flight:
    """Sequences in one frame that is not answered yet."""

    frame_id: int
    sequences: RangeSet
    tries: int
    """Failed tries of the lane when it was sent; frames of one burst fail once together."""
    item_tries: int
    """Most failed tries of one of its sequences."""


@dataclass(frozen=True, slots=True)
class Delayed:
    """Sequences that wait until a time."""

    sequences: RangeSet
    due: Timestamp
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One lane, as one session knows it."""

    key: LaneKey
    side: Side
    first: int
    done: RangeSet
    in_flight: tuple[Flight, ...] = ()
    later: tuple[Delayed, ...] = ()
    given_up: RangeSet = EMPTY
    """Refused for good, until the next session."""
    tries: int = 0
    """Frames refused as a whole, in a row."""
    held_until: Timestamp = _AT_ONCE
    """Nothing is wanted before (monotonic ns)."""

    @property
    def client(self) -> ClientId:
        """The chain's own client of this lane."""
        at_source = self.side is Side.SOURCE
        return self.key.source_client if at_source else self.key.destination_client


@dataclass(frozen=True, slots=True)
class Told:
    """The registry's cursor came again: whatever held the lane may be over."""

    cursor: LaneCursor


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame with these sequences went out."""

    frame_id: int
    sequences: RangeSet


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict came."""

    verdict: Verdict
    chance: int


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """The relayer was shown that a sequence exists, and lacks it: nothing bars it any more."""

    sequence: int


Event = Told | Sent | Judged | AskedAgain


@dataclass(frozen=True, slots=True)
class Record:
    """The relayer says that these are accepted: note it where it lasts."""

    sequences: RangeSet


@dataclass(frozen=True, slots=True)
class GiveUp:
    """These are not shown again in this session: tell an operator why."""

    sequences: RangeSet
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Wait:
    """The lane has something to show again at this time (monotonic ns)."""

    due: Timestamp
    refusal: Refusal


Effect = Record | GiveUp | Wait


def opened(cursor: LaneCursor) -> Lane:
    """The lane as the registry tells it."""
    return Lane(key=cursor.lane, side=cursor.side, first=cursor.first_sequence, done=cursor.done)


def wanted(lane: Lane, now: Timestamp) -> RangeSet:
    """Sequences that the hub has not got and that may be shown at *now* (monotonic ns)."""
    if now < lane.held_until or (lane.tries and lane.in_flight):
        return EMPTY
    barred = lane.done | lane.given_up
    for flight in lane.in_flight:
        barred |= flight.sequences
    for delayed in lane.later:
        if now < delayed.due:
            barred |= delayed.sequences
    return RangeSet.span(lane.first, MAX_SEQUENCE + 1) - barred


def step(lane: Lane, event: Event, now: Timestamp) -> tuple[Lane, list[Effect]]:
    """The lane after *event* at *now* (monotonic ns), and what is to be done."""
    match event:
        case Told(cursor):
            first, done = cursor.first_sequence, lane.done | cursor.done
            return replace(lane, first=first, done=done, tries=0, held_until=_AT_ONCE), []
        case Sent(frame_id, sequences):
            tried = [entry.tries for entry in lane.later if entry.sequences & sequences]
            flight = Flight(frame_id, sequences, lane.tries, max(tried, default=0))
            later = _without(lane.later, sequences)
            return replace(lane, in_flight=(*lane.in_flight, flight), later=later), []
        case Judged():
            return _judged(lane, event, now)
        case AskedAgain(sequence):
            one = RangeSet.of([sequence])
            later = _without(lane.later, one)
            return replace(lane, given_up=lane.given_up - one, later=later), []
        case _:
            assert_never(event)


def _judged(lane: Lane, event: Judged, now: Timestamp) -> tuple[Lane, list[Effect]]:
    verdict = event.verdict
    flight = next((f for f in lane.in_flight if f.frame_id == verdict.frame_id), None)
    if flight is None:
        return lane, []
    effects: list[Effect] = []
    lane = replace(lane, in_flight=tuple([f for f in lane.in_flight if f is not flight]))
    accepted = (verdict.accepted | verdict.already_done) & flight.sequences
    if accepted:
        effects.append(Record(accepted))
        lane = replace(lane, done=lane.done | accepted, tries=0, held_until=_AT_ONCE)
    left = flight.sequences - accepted
    for refusal, hit in _alike(verdict.refused, left):
        left -= hit
        again = _again(hit, refusal, flight.item_tries, event.chance, now)
        lane, effect = _refused(lane, hit, refusal, again)
        effects.append(effect)
    if left:
        tries, refusal = max(lane.tries - 1, flight.tries), _whole(verdict)
        again = _again(left, refusal, tries, event.chance, now)
        lane, effect = _refused(lane, left, refusal, again)
        effects.append(effect)
    return lane, effects


def _again(
    sequences: RangeSet, refusal: Refusal, tries: int, chance: int, now: Timestamp
) -> Delayed:
    """When *sequences* are shown again after *tries* failed tries and this one.

    Where the relayer says how long to wait that is the time, and it was no failed try.
    """
    if refusal.wait:
        return Delayed(sequences, Timestamp(now + refusal.wait), tries)
    return Delayed(sequences, Timestamp(now + delay(tries + 1, chance)), tries + 1)


def _refused(
    lane: Lane, sequences: RangeSet, refusal: Refusal, again: Delayed
) -> tuple[Lane, Effect]:
    if not refusal.retryable:
        return replace(lane, given_up=lane.given_up | sequences), GiveUp(sequences, refusal)
    if refusal.sequence:
        lane = replace(lane, later=(*lane.later, again))
    else:
        held_until = max(lane.held_until, again.due)
        lane = replace(lane, held_until=held_until, tries=again.tries)
    return lane, Wait(again.due, refusal)


def _alike(refused: Sequence[Refusal], left: RangeSet) -> list[tuple[Refusal, RangeSet]]:
    """Those of *left* that are *refused*, all of one kind together, with the first refusal."""
    found: dict[tuple[str, bool, int], tuple[Refusal, set[int]]] = {}
    seen: set[int] = set()
    for refusal in refused:
        if refusal.sequence in left and refusal.sequence not in seen:
            seen.add(refusal.sequence)
            kind = (refusal.reason, refusal.retryable, refusal.wait)
            found.setdefault(kind, (refusal, set()))[1].add(refusal.sequence)
    return [(first, RangeSet.of(sequences)) for first, sequences in found.values()]


def _whole(verdict: Verdict) -> Refusal:
    """Why items that the verdict does not name one by one were refused."""
    if verdict.whole is not None:
        return verdict.whole
    detail = "the verdict leaves items out"
    return Refusal(sequence=0, reason=UNEXPLAINED, detail=detail, retryable=True)


def _without(delayed: tuple[Delayed, ...], sequences: RangeSet) -> tuple[Delayed, ...]:
    if not delayed:
        return delayed
    cut = [replace(entry, sequences=entry.sequences - sequences) for entry in delayed]
    return tuple([entry for entry in cut if entry.sequences])
