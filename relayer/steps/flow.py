"""What to hand to a chain next: one lane's items on their way out, as a pure state machine.

The same machine carries both ways of a lane. Towards the destination the items are sequences, and a
reported one waits until its outcome is proven. Towards the source the items are outcome indexes,
and a reported one waits until that is recorded: then it is complete.

::

    pending ──send──▶ in flight ──reported──▶ awaiting ──ended──▶ gone
       ▲                 │  │                    │
       └──── later ◀─────┘  └─▶ parked           └──overdue──▶ pending

Nothing here reads a clock, draws chance or talks: events come in, effects go out (order.py: when).

Source: design section 5 (at least once; retry with backoff; an unknown outcome is sent again).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, assert_never

from hub.core.lane import Order
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import SECOND, Duration, Timestamp
from relayer.steps.backoff import delay
from relayer.steps.delayed import Delayed, without
from relayer.steps.events import (
    Added,
    Again,
    Begun,
    Done,
    Effect,
    Ended,
    Event,
    Failed,
    Gate,
    Happened,
    Lapsed,
    Park,
    Reopened,
    Reported,
    Send,
    Tick,
    Unwritten,
    Wait,
    Withdrawn,
)
from relayer.steps.order import dealt_with, in_turn, lapsing, rewinding

if TYPE_CHECKING:
    from hub.core.record import Refusal

BATCH: Final = 256
"""Most items of one attempt."""
WINDOW: Final = 4
"""Attempts of a lane without order that may be in flight, full or not."""
REPORT_WITHIN: Final = Duration(30 * SECOND)
"""An attempt that has begun, and neither went on nor was reported by then, is made again, as a
possible duplicate."""
MAX_CUTS: Final = 1024
"""Ends of frames that a flow remembers; items beyond them are cut anywhere."""
PROOF_WITHIN: Final = Duration(60 * SECOND)
"""A reported item whose outcome is not proven by then is sent again, as a possible duplicate."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Items handed to the chain, or waiting for their turn there; not reported yet."""

    number: int
    items: RangeSet
    deadline: Timestamp | None = None
    """None until it has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One lane's items on their way to one chain."""

    pending: RangeSet = EMPTY
    cuts: tuple[int, ...] = ()
    """Items at which what was added together begins or has ended, rising, within the pending ones.

    One proof shows all that was added together; an attempt that ends between needs a fresh one."""
    in_flight: tuple[Attempt, ...] = ()
    awaiting: tuple[Delayed, ...] = ()
    """Reported executed; due is when they are sent again, if they have not ended by then."""
    later: tuple[Delayed, ...] = ()
    parked: RangeSet = EMPTY
    tried: RangeSet = EMPTY
    """Items that may have had their effect already."""
    tries: int = 0
    """Failed attempts in a row."""
    next_number: int = 1
    is_stopped: bool = False
    """A pause or freeze keeps everything where it is."""
    window: int = WINDOW
    """Attempts that may be in flight; 1 where order matters."""
    full_window: int = 0
    """Attempts that may be in flight if each further one is full, where that is more."""
    order: Order = Order.UNORDERED
    first: int = 0
    """The lane's first item; it and the next two matter in order only."""
    ended: RangeSet = EMPTY
    lapsed: RangeSet = EMPTY
    """Ended without a receipt, and the gateway, which enforces order, has not passed over them."""


def step(flow: Flow, event: Event, now: Timestamp) -> tuple[Flow, list[Effect]]:
    """The flow after *event* at *now* (monotonic ns), and what is to be done."""
    effects: list[Effect] = []
    if not isinstance(event, Tick):
        flow = _after(flow, event, now, effects)
    return _send(_overdue(flow, now), effects), effects


def wakes_at(flow: Flow) -> Timestamp | None:
    """When a ``Tick`` is due next; None if nothing waits for a time."""
    deadlines = [attempt.deadline for attempt in flow.in_flight]
    times = [deadline for deadline in deadlines if deadline is not None]
    times += [delayed.due for delayed in flow.awaiting]
    times += [delayed.due for delayed in flow.later]
    return min(times, default=None)


def backlog(flow: Flow) -> int:
    """Items that are not handed to the chain yet."""
    return len(flow.pending) + sum(len(delayed.items) for delayed in flow.later)


def known(flow: Flow) -> RangeSet:
    """Every item that the flow holds, wherever it stands."""
    found = flow.pending | flow.parked
    for attempt in flow.in_flight:
        found |= attempt.items
    for delayed in (*flow.awaiting, *flow.later):
        found |= delayed.items
    return found


def _after(flow: Flow, event: Happened, now: Timestamp, effects: list[Effect]) -> Flow:
    match event:
        case Added(items, starts):
            flow = _added(flow, _new(flow, items), items, starts)
        case Again(items):
            flow = _again(flow, items)
        case Ended(items):
            flow = _ended(flow, items)
        case Reopened(items, refusal):
            flow = _reopened(flow, items, refusal, effects)
        case Lapsed(items):
            flow = _ended(_told(flow, lapsing(flow, items)), items)
        case Begun(number):
            flow = _begun(flow, number, now)
        case Withdrawn(number):
            flow, items = _take_attempt(flow, number)
            flow = _added(flow, items, items)
        case Reported() | Failed() | Unwritten():
            flow = _over(flow, event, now, effects)
        case Gate(is_stopped):
            flow = replace(flow, is_stopped=is_stopped)
        case _:
            assert_never(event)
    return flow


def _new(flow: Flow, items: RangeSet) -> RangeSet:
    """Those of *items* that the flow neither holds nor has seen end."""
    items = items - flow.pending - flow.parked - flow.ended
    for attempt in flow.in_flight:
        items -= attempt.items
    for delayed in (*flow.awaiting, *flow.later):
        items -= delayed.items
    return items


def _added(flow: Flow, new: RangeSet, together: RangeSet, starts: tuple[int, ...] = ()) -> Flow:
    """The flow with *new* items, which proofs from *starts* on show *together* with others."""
    cuts = _with_cuts(flow.cuts, [*_ends(together), *starts])
    return replace(flow, pending=flow.pending | new, cuts=cuts)


def _again(flow: Flow, items: RangeSet) -> Flow:
    rested = replace(flow, parked=flow.parked - items, later=without(flow.later, items))
    due = items - known(rested)
    return replace(
        rested,
        pending=rested.pending | due,
        cuts=_with_cuts(rested.cuts, _ends(due)),
        tried=rested.tried | (due & known(flow)),
    )


def _reopened(flow: Flow, items: RangeSet, refusal: Refusal | None, effects: list[Effect]) -> Flow:
    """The flow with *items*, which it holds no more; it may have had them executed meanwhile."""
    items -= known(flow)
    flow = replace(flow, tried=flow.tried | items)
    if refusal is None:
        return _added(flow, items, items)
    effects.extend([Park(item, refusal) for item in items])
    return replace(flow, parked=flow.parked | items)


def _ended(flow: Flow, items: RangeSet) -> Flow:
    items -= flow.lapsed
    attempts = [replace(a, items=a.items - items) if a.items & items else a for a in flow.in_flight]
    return replace(
        flow,
        ended=flow.ended if flow.order is Order.UNORDERED else flow.ended | items,
        pending=flow.pending - items,
        awaiting=without(flow.awaiting, items),
        later=without(flow.later, items),
        parked=flow.parked - items,
        tried=flow.tried - items,
        in_flight=tuple(attempts),
    )


def _told(flow: Flow, items: RangeSet) -> Flow:
    """The flow that tells the gateway of *items*, which lapsed; those in flight do already."""
    return replace(
        flow,
        ended=flow.ended | items,
        lapsed=flow.lapsed | items,
        parked=flow.parked - items,
        pending=flow.pending | (items - (known(flow) - flow.parked)),
    )


def _rewound(flow: Flow, item: int) -> Flow:
    """The gateway is proven to receive *item* next: what is after it has yet to be shown to it."""
    unproven, passed, lapsed = rewinding(flow, item)
    return replace(
        flow,
        awaiting=without(flow.awaiting, unproven),
        later=without(flow.later, passed),
        pending=(flow.pending - passed) | unproven | (lapsed - known(flow)),
        tried=flow.tried | unproven,
        lapsed=lapsed,
    )


def _take_attempt(flow: Flow, number: int) -> tuple[Flow, RangeSet]:
    """The flow without the attempt, and its items; none if it is over already."""
    for attempt in flow.in_flight:
        if attempt.number == number:
            rest = tuple([other for other in flow.in_flight if other is not attempt])
            return replace(flow, in_flight=rest), attempt.items
    return flow, EMPTY


def _begun(flow: Flow, number: int, now: Timestamp) -> Flow:
    deadline = Timestamp(now + REPORT_WITHIN)
    return replace(
        flow,
        in_flight=tuple(
            [
                replace(attempt, deadline=deadline) if attempt.number == number else attempt
                for attempt in flow.in_flight
            ]
        ),
    )


def _over(
    flow: Flow, event: Reported | Failed | Unwritten, now: Timestamp, effects: list[Effect]
) -> Flow:
    if isinstance(event, Unwritten):
        return _unparked(flow, RangeSet.of([event.item]) & flow.parked, now, event.chance)
    if isinstance(event, Failed):
        return _failed(flow, event.number, now, event.chance, effects)
    return _reported(flow, event, now, effects)


def _reported(flow: Flow, event: Reported, now: Timestamp, effects: list[Effect]) -> Flow:
    flow, items = _take_attempt(flow, event.number)
    dealt = event.executed & items if flow.order is Order.UNORDERED else dealt_with(event, items)
    untried = (event.untried & items) - dealt
    owed = items - dealt - untried
    refused = {entry.item: entry for entry in event.refused if entry.item in owed}
    # What has lapsed and was passed over needs nothing more.
    unproven = dealt - flow.lapsed
    executed = event.executed & unproven
    flow = replace(flow, lapsed=flow.lapsed - dealt, tries=0 if dealt else flow.tries)
    if executed:
        effects.append(Done(executed))
    if unproven:
        awaiting = Delayed(unproven, Timestamp(now + PROOF_WITHIN))
        flow = replace(flow, awaiting=(*flow.awaiting, awaiting))
    final = RangeSet.of([item for item, entry in refused.items() if entry.refusal.is_final])
    final -= flow.lapsed
    effects.extend(Park(item, refused[item].refusal) for item in final)
    again = owed - final
    flow = _added(replace(flow, parked=flow.parked | final), untried, untried)
    first = next((entry.refusal for entry in refused.values() if not entry.refusal.is_final), None)
    if again:
        flow, wait = _try_later(flow, again, now, event.chance, first)
        effects.append(wait)
    return _rewound(flow, event.next_item) if event.next_item else flow


def _failed(flow: Flow, number: int, now: Timestamp, chance: int, effects: list[Effect]) -> Flow:
    flow, items = _take_attempt(flow, number)
    if items:
        flow, wait = _try_later(flow, items, now, chance, None)
        effects.append(wait)
    return flow


def _unparked(flow: Flow, items: RangeSet, now: Timestamp, chance: int) -> Flow:
    """The flow that tries *items* again later, so that their refusal can be recorded then."""
    if not items:
        return flow
    flow = replace(flow, parked=flow.parked - items)
    return _try_later(flow, items, now, chance, None)[0]


def _try_later(
    flow: Flow, items: RangeSet, now: Timestamp, chance: int, refusal: Refusal | None
) -> tuple[Flow, Wait]:
    tries = flow.tries + 1
    due = Timestamp(now + delay(tries, chance))
    later = (*flow.later, Delayed(items, due))
    flow = replace(flow, later=later, tries=tries, tried=flow.tried | items)
    return flow, Wait(items, refusal, due, tries)


def _overdue(flow: Flow, now: Timestamp) -> Flow:
    """What waited long enough is pending again; what may have had its effect is marked."""
    late = [a for a in flow.in_flight if a.deadline is not None and a.deadline <= now]
    unproven = [entry for entry in flow.awaiting if entry.due <= now]
    ready = [entry for entry in flow.later if entry.due <= now]
    if not (late or unproven or ready):
        return flow
    doubtful = [attempt.items for attempt in late] + [entry.items for entry in unproven]
    again = [*doubtful, *[entry.items for entry in ready]]
    maybe, pending = EMPTY, flow.pending
    for items in doubtful:
        maybe |= items
    for items in again:
        pending |= items
    return replace(
        flow,
        pending=pending,
        cuts=_with_cuts(flow.cuts, _ends(*again)),
        tried=flow.tried | maybe,
        in_flight=tuple([attempt for attempt in flow.in_flight if attempt not in late]),
        awaiting=tuple([entry for entry in flow.awaiting if entry.due > now]),
        later=tuple([entry for entry in flow.later if entry.due > now]),
    )


def _send(flow: Flow, effects: list[Effect]) -> Flow:
    while flow.pending and not flow.is_stopped and _has_room(flow):
        items = _batch(flow)
        if flow.order is not Order.UNORDERED:
            items = in_turn(flow, items)
        if not items:
            break
        number, again = flow.next_number, bool(items & flow.tried)
        effects.append(Send(number, items, again, lapsed=items & flow.lapsed))
        attempt = Attempt(number, items)
        flow = replace(
            flow,
            pending=flow.pending - items,
            in_flight=(*flow.in_flight, attempt),
            next_number=number + 1,
        )
    passed = bisect_right(flow.cuts, flow.pending.first) if flow.pending else len(flow.cuts)
    return replace(flow, cuts=flow.cuts[passed:]) if passed else flow


def _has_room(flow: Flow) -> bool:
    """Whether another attempt may be in flight; above the window, only one that is worth it."""
    count = len(flow.in_flight)
    return count < flow.window or (count < flow.full_window and len(flow.pending) >= BATCH)


def _batch(flow: Flow) -> RangeSet:
    """The first pending items: as many whole frames as one attempt holds, or a part of one."""
    items = flow.pending.take(BATCH)
    if items.end == flow.pending.end:
        return items
    at = bisect_right(flow.cuts, items.end)
    if at and flow.cuts[at - 1] > items.first:
        return items & RangeSet.span(items.first, flow.cuts[at - 1])
    return items


def _ends(*frames: RangeSet) -> list[int]:
    return [end for items in frames if items for end in (items.first, items.end)]


def _with_cuts(cuts: tuple[int, ...], more: list[int]) -> tuple[int, ...]:
    """*cuts* and *more* of them, rising."""
    return tuple(sorted({*cuts, *more}))[:MAX_CUTS]
