"""What the parts of one relayer process share: keepers by peer, lanes by id, owners by peer.

A lane's two ends may be owned by two processes. What both know of it here is a copy of the
registry, read again on every hint and every refusal.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from hub.core.errors import AdapterOffline, LaneNotFound
from hub.core.lane import LaneSide
from hub.core.ranges import RangeSet
from relayer.headers import HeaderKeeper

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor

    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey, LaneView, Route
    from hub.ports.clock import Clock, Randomness
    from hub.ports.registry import Registry
    from relayer.chain_clients import ChainClients
    from relayer.runner import FlowRunner
    from relayer.session import Session


class LaneDesk:
    """One lane as this process knows it, and its ways out where this process owns an end."""

    def __init__(self, view: LaneView, routes: Mapping[tuple[str, str], Route]) -> None:
        """The lane as read from the registry."""
        self.view = view
        self.routes = routes
        self.accepting = asyncio.Lock()
        """Held from judging packets to noting them."""
        self.settling = asyncio.Lock()
        """Held from judging outcomes to noting them."""
        self.delivery: FlowRunner | None = None
        """Towards the destination; set while this process owns it."""
        self.settlement: FlowRunner | None = None
        """Back to the source; set while this process owns it."""

    @property
    def key(self) -> LaneKey:
        """The lane's two ends."""
        return self.view.lane.key

    def refreshed(self, view: LaneView) -> None:
        """The lane was read again; what this process has done since stays noted.

        Ranges and counters only grow, so the union of two readings is the newest one.
        """
        self.view = replace(
            view,
            source=_newest(self.view.source, view.source),
            destination=_newest(self.view.destination, view.destination),
        )

    def accepted(self, view: LaneView, taken: RangeSet) -> None:
        """Packets judged by *view* are recorded at the source side."""
        self.refreshed(replace(view, source=replace(view.source, done=view.source.done | taken)))

    def settled(self, view: LaneView, taken: RangeSet) -> RangeSet:
        """Outcomes judged by *view* are recorded at the destination side; their indexes."""
        side = view.destination
        end = side.outcome_count + len(taken)
        after = replace(side, done=side.done | taken, outcome_count=end)
        self.refreshed(replace(view, destination=after))
        return RangeSet.span(side.outcome_count, end)


class Switchboard:
    """Everything of one process that is found by name."""

    def __init__(
        self, registry: Registry, clock: Clock, randomness: Randomness, pool: Executor, name: str
    ) -> None:
        """An empty board of the relayer *name*."""
        self.registry = registry
        self.clock = clock
        self.randomness = randomness
        self.pool = pool
        self.name = name
        self.desks: dict[LaneKey, LaneDesk] = {}
        self.sessions: dict[PeerId, Session] = {}
        self.chain_clients: dict[PeerId, ChainClients] = {}
        self._keepers: dict[PeerId, HeaderKeeper] = {}

    def session(self, peer: PeerId) -> Session:
        """The living session of *peer*. Raises ``AdapterOffline``."""
        session = self.sessions.get(peer)
        if session is None or session.ended.is_set():
            raise AdapterOffline(peer=peer)
        return session

    async def keeper(self, peer: PeerId) -> HeaderKeeper:
        """The keeper of *peer*'s headers. Raises ``ClientNotFound``."""
        keeper = self._keepers.get(peer)
        if keeper is None:
            hub_client = await self.registry.clients.hub_client(peer)
            keeper = self._keepers.setdefault(
                peer, HeaderKeeper(self.registry, hub_client, self.clock, self.pool)
            )
        return keeper

    async def desk(self, key: LaneKey) -> LaneDesk:
        """The lane's desk, read from the registry where it is new here. Raises ``LaneNotFound``."""
        desk = self.desks.get(key)
        if desk is None:
            lane = await self.registry.lanes.get(key)
            desk = await self.read_desk(await self.registry.lanes.view(lane.lane_id))
        return desk

    async def read_desk(self, view: LaneView) -> LaneDesk:
        """The desk of the lane of *view*, up to date with it and with the lane's routes."""
        key = view.lane.key
        routes = await self.registry.lanes.routes(key)
        table: dict[tuple[str, str], Route] = {
            (route.key.source_port, route.key.destination_port): route for route in routes
        }
        desk = self.desks.get(key)
        if desk is None:
            desk = self.desks.setdefault(key, LaneDesk(view, table))
        desk.refreshed(view)
        desk.routes = table
        return desk

    def desk_by_id(self, lane_id: int) -> LaneDesk:
        """The known desk of that lane. Raises ``LaneNotFound``."""
        for desk in self.desks.values():
            if desk.view.lane.lane_id == lane_id:
                return desk
        raise LaneNotFound(name=str(lane_id))


def _newest(known: LaneSide, read: LaneSide) -> LaneSide:
    return LaneSide(
        epoch=max(known.epoch, read.epoch),
        gate=max(known.gate, read.gate),
        done=known.done | read.done,
        progress=known.progress | read.progress,
        outcome_count=max(known.outcome_count, read.outcome_count),
    )
