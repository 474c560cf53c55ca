"""Follow what changes, round by round: names of things, or a lane's packets.

A round begins by taking the registry's position, and then reads; so the next one misses nothing
that was committed meanwhile. Of a lane's packets a watcher knows what the lane's two rows said:
whatever they say more is new, and that is all that has to be remembered of any number of packets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.core.errors import PageTokenInvalid
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, Duration
from hub.exchange.reading import in_parts
from hub.ports.watching import Seen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from hub.core.lane import LaneView
    from hub.ports.clock import Clock
    from hub.ports.registry import Registry

EVERY: Final = Duration(SECOND)
"""From one round to the next."""
_OUTCOMES_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Round:
    """What has changed since the round before."""

    names: Sequence[str]
    position: int
    """From which the next round goes on."""


@dataclass(frozen=True, slots=True)
class PacketRound:
    """Packets of a lane that have changed."""

    sequences: RangeSet
    seen: Seen
    """What the watcher knows when it has been told of them."""


async def rounds(
    registry: Registry,
    clock: Clock,
    changed: Callable[[int], Awaitable[Sequence[str]]],
    since: int,
) -> AsyncIterator[Round]:
    """Names of what has changed since *since*, round after round, for ever.

    Raises ``PageTokenInvalid`` for a position that the registry has not reached, as after it was
    restored from a copy; ``RegistryUnreachable``.
    """
    while True:
        here = await registry.watching.position()
        if since > here:
            raise PageTokenInvalid(token=f"position {since} of a registry at {here}")
        yield Round(await changed(since), here)
        since = here
        await clock.sleep(EVERY)


async def packet_rounds(
    registry: Registry, clock: Clock, lane_id: int, seen: Seen | None
) -> AsyncIterator[PacketRound]:
    """Packets of the lane that have changed since *seen*, round after round, for ever.

    Without *seen* the first round has the packets that have not ended. Raises ``LaneNotFound``,
    ``SequenceRetired``, ``PageTokenInvalid``, ``RegistryUnreachable``.
    """
    while True:
        here = await registry.watching.position()
        view = await registry.lanes.view(lane_id)
        if seen is None:
            seen = _ended(view)
        if seen.position > here or seen.outcome_count > view.destination.outcome_count:
            raise PageTokenInvalid(token=f"position {seen.position} of a registry at {here}")
        sequences = await _changed(registry, view, seen)
        seen = _known(view, here)
        yield PacketRound(sequences, seen)
        await clock.sleep(EVERY)


async def _changed(registry: Registry, view: LaneView, seen: Seen) -> RangeSet:
    lane_id = view.lane.lane_id
    found = view.source.done - seen.accepted
    found |= (view.destination.progress - seen.delivered) & view.source.done
    new = RangeSet.span(seen.outcome_count, view.destination.outcome_count)
    indexes = new | (view.source.progress - seen.executed)
    while indexes:
        some = indexes.take(_OUTCOMES_AT_ONCE)
        async for outcomes in in_parts(registry.outcomes.read, lane_id, some, "outcome_index"):
            found |= RangeSet.of([outcome.sequence for outcome in outcomes])
        indexes -= some
    if seen.position:
        found |= await registry.watching.exceptions(lane_id, seen.position)
    return found


def _ended(view: LaneView) -> Seen:
    """Whoever knows this knows every packet that has ended, and no other."""
    executed = view.source.progress
    return Seen(
        accepted=view.destination.done,
        delivered=view.destination.progress,
        # Outcomes that are owed are above the executed ones, or between them.
        outcome_count=executed.ranges[0][1] if executed and executed.first == 0 else 0,
        executed=executed,
    )


def _known(view: LaneView, position: int) -> Seen:
    return Seen(
        position=position,
        accepted=view.source.done,
        delivered=view.destination.progress,
        outcome_count=view.destination.outcome_count,
        executed=view.source.progress,
    )
