"""Lists of packets over one lane or all: by state, by exception, by age.

Packets are in the order of their lanes' names and of their sequences. A page ends early where much
was looked at and little found, and the next one goes on there.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.core.lane import LaneKey
from hub.core.packet import MAX_SEQUENCE
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind
from hub.exchange import story

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from hub.core.lifecycle import PacketState
    from hub.core.record import PacketException
    from hub.core.standing import PacketStanding
    from hub.core.time import Duration, Timestamp
    from hub.ports.packets import ExceptionFilter, ListedException
    from hub.ports.registry import Registry

Place = tuple[str, int]
"""(lane, sequence): what a page begins after."""
START: Final[Place] = ("", 0)
LANES_AT_ONCE: Final = 50
"""Lanes that one page looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFilter:
    """Which packets a list is narrowed to."""

    state: PacketState | None = None
    lane: LaneKey | None = None
    """None for all lanes."""
    before: Timestamp | None = None
    """Only those accepted by then, by the database's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPacket:
    """A packet of a list."""

    lane: LaneKey
    sequence: int
    standing: PacketStanding | None
    """None of a hole: nobody has shown the packet."""
    exception: PacketException | None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of a list."""

    packets: tuple[ListedPacket, ...]
    after: Place | None
    """Where the next page begins; None on the last one."""


async def since(registry: Registry, age: Duration) -> Timestamp | None:
    """By when something was, if it is *age* (ns) old now; None for an age of 0."""
    if not age:
        return None
    now = await registry.audit.clock()
    return type(now)(max(0, now - age))


async def by_state(registry: Registry, wanted: StateFilter, after: Place, limit: int) -> Listing:
    """At most *limit* packets that are as *wanted*. Raises ``LaneNotFound``."""
    found: list[ListedPacket] = []
    async for key, start in _lanes(registry, wanted.lane, after):
        room = limit - len(found)
        page = await story.page(registry, key, wanted.state, start, room, before=wanted.before)
        found += [_listed(standing) for standing in page.standings]
        after = str(key), page.after if page.more else MAX_SEQUENCE
        if page.more or len(found) >= limit:
            return Listing(tuple(found), after)
    is_last = wanted.lane is not None or not await registry.lanes.page(None, after[0], 1)
    return Listing(tuple(found), None if is_last else after)


async def by_exception(
    registry: Registry, wanted: ExceptionFilter, after: Place, limit: int
) -> Listing:
    """At most *limit* packets with such an exception, and 4 MiB. Raises ``LaneNotFound``."""
    if wanted.lane is not None:
        await registry.lanes.get(wanted.lane)
    found = await registry.exceptions.page(wanted, after, limit + 1)
    packets: list[ListedPacket] = []
    size = 0
    async for part in with_standings(registry, wanted.kind, found[:limit]):
        for one in part:
            if size > story.MAX_PAGE_BYTES:
                return Listing(tuple(packets), _place(packets[-1]))
            packets.append(one)
            size += story.size_of(one.standing) if one.standing is not None else 0
    is_last = len(found) <= limit
    return Listing(tuple(packets), None if is_last else _place(packets[-1]))


async def with_standings(
    registry: Registry, kind: ExceptionKind, found: Sequence[ListedException]
) -> AsyncIterator[Sequence[ListedPacket]]:
    """*found*, all of *kind*, each with where its packet stands; in order, some at a time.

    Raises as ``story.in_parts``.
    """
    lanes: dict[LaneKey, dict[int, PacketException]] = defaultdict(dict)
    for one in found:
        lanes[one.lane][one.exception.sequence] = one.exception
    for key, exceptions in lanes.items():
        sequences = RangeSet.of(exceptions)
        if kind is ExceptionKind.HOLE:
            yield _excepted(key, sequences, {}, exceptions)
            continue
        async for part, standings in story.in_parts(registry, key, sequences):
            yield _excepted(key, part, standings, exceptions)


def _excepted(
    key: LaneKey,
    sequences: RangeSet,
    standings: Mapping[int, PacketStanding],
    exceptions: Mapping[int, PacketException],
) -> list[ListedPacket]:
    return [
        ListedPacket(
            lane=key,
            sequence=sequence,
            standing=standings.get(sequence),
            exception=exceptions[sequence],
        )
        for sequence in sequences
    ]


def _place(packet: ListedPacket) -> Place:
    return str(packet.lane), packet.sequence


async def _lanes(
    registry: Registry, lane: LaneKey | None, after: Place
) -> AsyncIterator[tuple[LaneKey, int]]:
    """Lanes to look at, each with the sequence to begin after."""
    name, sequence = after
    if lane is not None:
        yield lane, sequence
        return
    if name and sequence < MAX_SEQUENCE:
        yield LaneKey.parse(name), sequence
    lanes: Sequence[LaneKey] = [
        found.key for found in await registry.lanes.page(None, name, LANES_AT_ONCE)
    ]
    for key in lanes:
        yield key, 0


def _listed(standing: PacketStanding) -> ListedPacket:
    return ListedPacket(
        lane=standing.lane,
        sequence=standing.sequence,
        standing=standing,
        exception=standing.exception,
    )
