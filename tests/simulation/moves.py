"""What may happen next in the small exchange, and what tells one of its states from another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hub.core.lane import Side
from hub.core.ranges import RangeSet
from hub.core.record import OutcomeKind
from relayer.steps.flow import known, wakes_at
from tests.simulation.memory import Handed, Told
from tests.simulation.model import Broken
from tests.simulation.small import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from relayer.steps.flow import Flow
    from tests.simulation.memory import Adapter, End, Relayer
    from tests.simulation.small import Small

SIDES = (Side.SOURCE, Side.DESTINATION)
Move = tuple[Any, ...]


def moves(world: Small) -> list[Move]:
    """Every step that may come next; none where all is over, or stuck."""
    found = [*_progress(world), *_faults(world)]
    if not found:
        found += _patience(world)
    return found


def happen(world: Small, move: Move) -> None:
    """*move* comes next. Raises ``Broken``."""
    name, *args = move
    match name:
        case "late":
            world.chains = replace(world.chains, is_late=True)
            world.left["late"] -= 1
        case "learn":
            world.chains = replace(world.chains, knows_late=True)
        case "orphan":
            world.left["orphan"] -= 1
            at = world.chains.orphans[args[0]]
            rest = tuple([one for one in world.chains.orphans if one != at])
            world.chains = replace(world.chains, orphans=rest)
            world.execute(*at)
        case "crash" | "detach" | "early":
            world.left[name] -= 1
            getattr(world, "tick" if name == "early" else name)(*args)
        case _:
            getattr(world, name)(*args)


def check_over(world: Small) -> None:
    """Where nothing more can happen, every packet has ended everywhere. Raises ``Broken``."""
    chains, row = world.chains, world.books.row
    source, destination = row.sides[Side.SOURCE], row.sides[Side.DESTINATION]
    is_over = (
        len(chains.committed) == len(world.timeouts)
        and not chains.committed - chains.acknowledged - chains.refunded
        and source.done.truth == destination.done.truth == chains.committed
        and len(source.progress.truth) == destination.outcome_count == len(chains.committed)
    )
    if not is_over:
        raise Broken("every packet ends", f"{chains} {source} {destination}")


def check(world: Small) -> None:
    """What must be true of every state. Raises ``Broken``."""
    chains, row = world.chains, world.books.row
    if chains.refunded & (chains.received | chains.acknowledged):
        raise Broken("executed XOR refunded", f"{chains}")
    if chains.acknowledged - chains.received:
        raise Broken("executed XOR refunded", f"answered, and not received: {chains}")
    if [one.outcome_index for one in row.outcomes] != list(range(len(row.outcomes))):
        raise Broken("outcomes are dense", f"{row.outcomes}")
    if len({one.sequence for one in row.outcomes}) != len(row.outcomes):
        raise Broken("exactly-once effect", f"{row.outcomes}")
    for index in row.sides[Side.SOURCE].progress.truth:
        one = row.outcomes[index]
        ended = chains.acknowledged if one.kind is OutcomeKind.ACKNOWLEDGEMENT else chains.refunded
        if one.sequence not in ended:
            raise Broken("complete is what the source has executed", f"{one}")


def _progress(world: Small) -> Iterator[Move]:
    """What happens by itself."""
    if world.chains.committed.end <= len(world.timeouts):
        yield ("send",)
    for side in SIDES:
        yield from _of_adapter(world, side)
    for number, relayer in enumerate(world.relayers):
        yield from _of_relayer(world, number, relayer)
    chains = world.chains
    if chains.is_late and not chains.knows_late and world.adapters[Side.DESTINATION].lane:
        yield ("learn",)


def _of_adapter(world: Small, side: Side) -> Iterator[Move]:
    adapter = world.adapters[side]
    if adapter.relayer is None:
        yield from _dials(world, side)
        return
    end = world.relayers[adapter.relayer].end(side)
    if end is not None and end.outbox:
        yield ("take", side)
    if world.wanted(side):
        yield ("show", side)


def _of_relayer(world: Small, number: int, relayer: Relayer) -> Iterator[Move]:
    for side in SIDES:
        end = relayer.end(side)
        if end is not None and end.inbox:
            yield ("work", number, side)
        elif end is not None and world.adapters[side].relayer != number:
            yield ("close", number, side)
    if world.due(number):
        yield ("sweep", number)
    if _is_behind(world, relayer):
        yield ("poll", number)


def _dials(world: Small, side: Side) -> Iterator[Move]:
    peer = world.books.row.sides[side].peer
    lease = world.books.state.leases[peer]
    is_free = lease.owner is None or lease.expires_at <= world.books.state.now()
    for number in range(len(world.relayers)):
        if is_free or lease.owner == f"r{number}":
            yield ("attach", side, number)
    if not is_free:
        yield ("lapse", side)


def _is_behind(world: Small, relayer: Relayer) -> bool:
    """Whether reading the lane again would tell the relayer something that it needs."""
    view = relayer.view
    if view is None or (relayer.source is None and relayer.destination is None):
        return False
    row = world.books.row
    source, destination = row.sides[Side.SOURCE], row.sides[Side.DESTINATION]
    if relayer.source is not None:
        owed = RangeSet.span(0, destination.outcome_count) - source.progress.truth
        if owed - known(relayer.source.flow):
            return True
    if relayer.destination is not None:
        flow, ended = relayer.destination.flow, destination.done.truth
        if (source.done.truth - ended - known(flow)) or (known(flow) - flow.lapsed) & ended:
            return True
    return bool(source.done.truth - view.source.done)


def _faults(world: Small) -> Iterator[Move]:
    """What goes wrong, as often as it still may; and the timeout."""
    left = world.left
    if left.get("late") and SHORT in world.timeouts:
        yield ("late",)
    if left.get("detach"):
        yield from (("detach", side) for side in SIDES if world.adapters[side].lane is not None)
    for number, relayer in enumerate(world.relayers):
        if left.get("crash") and relayer.view is not None:
            yield ("crash", number)
        if left.get("early"):
            for side in SIDES:
                end = relayer.end(side)
                if end is not None and wakes_at(end.flow) is not None:
                    yield ("early", number, side)
    if left.get("orphan"):
        yield from (("orphan", at) for at in range(len(world.chains.orphans)))


def _patience(world: Small) -> Iterator[Move]:
    """Nothing else can happen: time passes, until something does."""
    for number, relayer in enumerate(world.relayers):
        for side in SIDES:
            end = relayer.end(side)
            if end is not None and wakes_at(end.flow) is not None:
                yield ("tick", number, side)


def key(world: Small) -> tuple[int, ...]:
    """Equal for two states from which the same can happen: which relayer is which does not count,
    nor what was counted up to now, nor the time but for what is due."""
    return tuple(sorted((hash(_key(world, (0, 1))), hash(_key(world, (1, 0))))))


def _key(world: Small, names: tuple[int, ...]) -> Any:
    books, now = world.books, world.now
    names_of = {f"r{number}": name for number, name in enumerate(names)}
    state = books.state
    leases = [
        (names_of.get(row.owner or ""), row.expires_at > state.now())
        for row in state.leases.values()
    ]
    relayers = [_relayer(world, world.relayers[number], now) for number in names]
    adapters = [_adapter(world.adapters[side], names, now) for side in SIDES]
    left = tuple(sorted(world.left.items()))
    return (books.key(), *leases, *relayers, *adapters, world.chains, left)


def _relayer(world: Small, relayer: Relayer, now: int) -> Any:
    if relayer.view is None:
        return None
    view = relayer.view
    known = (
        view.source.done,
        view.source.progress,
        view.destination.done,
        view.destination.outcome_count,
    )
    return (known, *[_end(world, side, relayer.end(side), now) for side in SIDES])


def _end(world: Small, side: Side, end: End | None, now: int) -> Any:
    if end is None:
        return None
    base = end.flow.next_number
    peer = world.books.row.sides[side].peer
    is_current = end.fence.epoch == world.books.state.leases[peer].epoch
    frames = world.adapters[side].frames
    queues = tuple(
        [
            replace(one, number=one.number - base)
            if isinstance(one, Told | Handed)
            else (one.__class__.__name__, _frame(one) - frames, _rest(one))
            for one in (*end.inbox, *end.outbox)
        ]
    )
    return is_current, _flow(end.flow, now), len(end.inbox), queues


def _frame(one: Any) -> int:
    return int(one.frame if hasattr(one, "frame") else one.frame_id)


def _rest(one: Any) -> Any:
    return one.items if hasattr(one, "items") else (one.accepted, one.already_done)


def _flow(flow: Flow, now: int) -> Any:
    base = flow.next_number
    return (
        flow.pending,
        tuple([(one.items, one.number - base, _due(one.deadline, now)) for one in flow.in_flight]),
        tuple([(one.items, one.due - now) for one in flow.awaiting]),
        tuple([(one.items, one.due - now) for one in flow.later]),
        flow.parked,
        flow.tried,
        min(flow.tries, 3),
        flow.ended,
        flow.lapsed,
    )


def _due(due: Any, now: int) -> int | None:
    return None if due is None else due - now


def _adapter(adapter: Adapter, names: tuple[int, ...], now: int) -> Any:
    lane = adapter.lane
    place = None if adapter.relayer is None else names.index(adapter.relayer)
    if lane is None:
        return place, adapter.told
    flights = tuple([(one.frame_id - adapter.frames, one.sequences) for one in lane.in_flight])
    later = tuple([(one.sequences, one.due - now) for one in lane.later])
    return place, adapter.told, lane.done, flights, later, lane.given_up
