"""What has changed in memory: everything is compared with how it was at the last question."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from hub.core.lane import LaneSide, Side
from hub.core.ranges import RangeSet
from hub.ports.watching import Written, WrittenLane

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hub.core.lane import LaneKey, Route
    from hub.registry.memory.state import LaneRow, SideRow, State


class MemoryWatching:
    """``hub.ports.watching.Watching`` in memory."""

    def __init__(self, state: State) -> None:
        """What changes in *state*."""
        self._state = state
        self._now = 1
        self._known: dict[str, tuple[str, int]] = {}
        """By name: how it was, and at which position it was first seen so."""

    async def position(self) -> int:
        """As the port says."""
        self._look()
        self._now += 1
        return self._now

    async def peers(self, since: int) -> Sequence[str]:
        """As the port says."""
        names = self._changed(since)
        return [name for name in names if name.startswith("peers/") and name.count("/") == 1]

    async def clients(self, since: int) -> Sequence[str]:
        """As the port says."""
        names = self._changed(since)
        return [name for name in names if name.startswith("peers/") and name.count("/") > 1]

    async def lanes(self, since: int) -> Sequence[str]:
        """As the port says."""
        return [name for name in self._changed(since) if name.startswith("lanes/")]

    async def written(self, since: int) -> Written:
        """As the port says."""
        position = await self.position()
        names = set(self._changed(since))
        found: list[WrittenLane] = []
        for lane_id, row in sorted(self._state.lanes.items()):
            is_changed = f"governed/{lane_id}" in names
            if is_changed or row.lane.key.name in names:
                found.append(_written(row, is_changed=is_changed))
        peers = [peer for peer in self._state.peers if f"governed/peers/{peer}" in names]
        return Written(position=position, peers=sorted(peers), lanes=found)

    async def exceptions(self, lane_id: int, since: int) -> RangeSet:
        """As the port says."""
        mark = f"exceptions/{lane_id}/"
        stands = self._state.known(lane_id).exceptions
        found = [int(n.removeprefix(mark)) for n in self._changed(since) if n.startswith(mark)]
        return RangeSet.of([sequence for sequence in found if sequence in stands])

    def _changed(self, since: int) -> list[str]:
        self._look()
        return sorted([name for name, (_, at) in self._known.items() if at >= since])

    def _look(self) -> None:
        for name, how in self._all():
            if self._known.get(name, ("", 0))[0] != how:
                self._known[name] = (how, self._now)

    def _all(self) -> Iterator[tuple[str, str]]:
        state = self._state
        policies: dict[LaneKey, list[Route]] = defaultdict(list)
        for route in state.routes.values():
            policies[route.key.lane].append(route)
        for peer, found in state.peers.items():
            yield f"peers/{peer}", repr((found, state.leases.get(peer)))
            yield f"governed/peers/{peer}", repr((found, state.clients.get(peer)))
        for peer, client in state.clients.items():
            newest = max(state.headers.get(peer, ()), default=0)
            yield f"peers/{peer}/client", repr((client, newest))
        for (peer, native), mirror in state.chain_clients.items():
            yield f"peers/{peer}/clients/{native}", repr(mirror)
        for lane_id, row in state.lanes.items():
            sides = [row.sides[side].as_side() for side in Side]
            yield row.lane.key.name, repr((row.lane, sides, row.exceptions))
            routes = policies.get(row.lane.key, ())
            yield f"governed/{lane_id}", repr((row.lane, routes, row.exceptions))
            for sequence, exception in row.exceptions.items():
                how = repr((exception, exception.since))
                yield f"exceptions/{lane_id}/{sequence}", how


def _written(row: LaneRow, *, is_changed: bool) -> WrittenLane:
    key = row.lane.key
    return WrittenLane(
        lane_id=row.lane.lane_id,
        source_peer=key.source_peer,
        destination_peer=key.destination_peer,
        is_changed=is_changed,
        source=_as_stored(row.sides[Side.SOURCE]),
        destination=_as_stored(row.sides[Side.DESTINATION]),
    )


def _as_stored(side: SideRow) -> LaneSide:
    return LaneSide(
        epoch=side.epoch,
        gate=side.gate,
        done=side.done.stored,
        progress=side.progress.stored,
        outcome_count=side.outcome_count,
        reopened_count=side.reopened_count,
    )
