"""What the parts of one relayer process share: keepers by peer, lanes by id, owners by peer.

A lane's two ends may be owned by two processes. What both know of it here is a copy of the
registry, read again on every hint and every refusal.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from hub.core.errors import AdapterOffline
from hub.core.lane import LaneSide
from hub.core.ranges import EMPTY, RangeSet
from hub.ports.caller import Caller
from hub.wire.tracing import OFF
from relayer.chain_clients import ChainClients
from relayer.headers import HeaderKeeper
from relayer.limiter import Limiter
from relayer.penalties import Penalties
from relayer.remote import Forwarder
from relayer.steps.audits import MOST, AuditQueue, added

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey, LaneView, Route
    from hub.core.time import Timestamp
    from hub.ports.clock import Clock, Randomness
    from hub.ports.registry import Registry
    from relayer.remote import RemoteSession
    from relayer.runner import FlowRunner
    from relayer.session import Session


AUDIT_KEY_BYTES: Final = 32
MAX_UNKNOWN: Final = 65_536
"""Sequences of one lane that are remembered as answered, and not shown."""


class LaneDesk:
    """One lane as this process knows it, and its ways out where this process owns an end."""

    def __init__(self, view: LaneView, routes: Mapping[tuple[str, str], Route]) -> None:
        """The lane as read from the registry."""
        self.view = view
        self.routes = routes
        self.accepting = asyncio.Lock()
        """Held from judging packets to noting them."""
        self.limiter = Limiter()
        self.settling = asyncio.Lock()
        """Held from judging outcomes to noting them."""
        self.delivery: FlowRunner | None = None
        """Towards the destination; set while this process owns it."""
        self.settlement: FlowRunner | None = None
        """Back to the source; set while this process owns it."""
        self.unknown = EMPTY
        """Sequences that the destination has answered, it is proven, and that nobody has shown."""
        self.to_audit = AuditQueue()
        """Outcomes that the source reported executed, and has yet to show; a session's end leaves
        it as it is, the process's end loses it."""
        self.audits_lost = 0
        """Those for which there was no room."""

    @property
    def key(self) -> LaneKey:
        """The lane's two ends."""
        return self.view.lane.key

    def refreshed(self, view: LaneView) -> None:
        """The lane was read again; what this process has done since stays noted.

        Ranges and counters only grow, so the union of two readings is the newest one; only what is
        executed may shrink, and then a counter rises. Whether the lane is stopped, the reading with
        the higher gates knows.
        """
        known = self.view
        newer = view if _gates(view) >= _gates(known) else known
        self.view = replace(
            newer,
            source=_newest(known.source, view.source),
            destination=_newest(known.destination, view.destination),
        )

    def accepted(self, view: LaneView, taken: RangeSet) -> None:
        """Packets judged by *view* are recorded at the source side."""
        self.refreshed(replace(view, source=replace(view.source, done=view.source.done | taken)))

    def answered(self, sequences: RangeSet) -> None:
        """The destination has answered *sequences*, which are not accepted: others carried them."""
        self.unknown = (self.unknown | sequences).take(MAX_UNKNOWN)

    def completed(self, indexes: RangeSet) -> None:
        """The completion of the outcomes *indexes* is recorded at the source side."""
        source = replace(self.view.source, progress=self.view.source.progress | indexes)
        self.view = replace(self.view, source=source)

    def owes_proof(self, chosen: RangeSet, doubtful: RangeSet, now: Timestamp) -> None:
        """The source is to show that it executed these outcomes, recorded as such *now*.

        Some are *chosen* by chance; *doubtful* ones were executed after a failure, or twice.
        """
        queue, lost = added(self.to_audit, chosen, now)
        self.to_audit, more = added(queue, doubtful - chosen, now, MOST // 2)
        self.audits_lost += lost + more

    def reopened(self, indexes: RangeSet) -> None:
        """The outcomes *indexes* are executed no more, as is recorded at the source side."""
        side = self.view.source
        count, progress = side.reopened_count + len(indexes), side.progress - indexes
        source = replace(side, progress=progress, reopened_count=count)
        self.view = replace(self.view, source=source)

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
        self.caller = Caller(identity=f"relayers/{name}")
        """Who changes what this process changes by itself: it freezes a client on evidence."""
        self.registry = registry
        self.clock = clock
        self.randomness = randomness
        self.audit_key = randomness.below(1 << 8 * AUDIT_KEY_BYTES).to_bytes(AUDIT_KEY_BYTES)
        """Chooses what is audited; no other process's, and nobody is told."""
        self.pool = pool
        self.pool_of: Callable[[PeerId], Executor] = lambda _: pool
        """Where what a peer shows is verified."""
        self.penalties = Penalties(clock)
        self.tracing = OFF
        self.name = name
        self.desks: dict[LaneKey, LaneDesk] = {}
        self.sessions: dict[PeerId, Session] = {}
        self.chain_clients: dict[PeerId, ChainClients] = {}
        self.forwarder = Forwarder(registry, clock, name)
        self._keepers: dict[PeerId, HeaderKeeper] = {}

    def forget(self) -> None:
        """Nothing is known any more of what the registry holds; sessions of now have their own."""
        self.desks.clear()
        self._keepers.clear()

    def session(self, peer: PeerId) -> Session:
        """The living session of *peer*. Raises ``AdapterOffline``."""
        session = self.sessions.get(peer)
        if session is None or session.ended.is_set():
            raise AdapterOffline(peer=peer)
        return session

    def clients_of(self, peer: PeerId) -> ChainClients:
        """The clients on *peer*'s chain, behind its living session. Raises ``AdapterOffline``."""
        clients = self.chain_clients.get(peer)
        if clients is None:
            raise AdapterOffline(peer=peer)
        return clients

    def reach(self, peer: PeerId) -> Session | RemoteSession:
        """The session of *peer* to ask something of: here, or with another process."""
        session = self.sessions.get(peer)
        is_here = session is not None and not session.ended.is_set()
        return session if session is not None and is_here else self.forwarder.session(peer)

    async def reach_clients(self, peer: PeerId) -> ChainClients:
        """The clients on *peer*'s chain, wherever its session is. Raises ``ClientNotFound``."""
        here = self.chain_clients.get(peer)
        return here or ChainClients(self.reach(peer), await self.keeper(peer))

    async def keeper(self, peer: PeerId) -> HeaderKeeper:
        """The keeper of *peer*'s headers. Raises ``ClientNotFound``."""
        keeper = self._keepers.get(peer)
        if keeper is None:
            hub_client = await self.registry.clients.hub_client(peer)
            keeper = self._keepers.setdefault(
                peer,
                HeaderKeeper(
                    self.registry, hub_client, self.clock, self.pool_of(peer), self.caller
                ),
            )
            keeper.elsewhere = self.forwarder
        return keeper

    async def refresh_away(self) -> None:
        """What others store of peers that are attached elsewhere counts here.

        Raises ``HubError``.
        """
        for peer, keeper in list(self._keepers.items()):
            if peer not in self.sessions:
                await keeper.refresh()

    async def refresh(self, peer: PeerId) -> bool:
        """What is known here of *peer*'s client is as the registry holds it; whether it is frozen.

        Raises ``ClientNotFound``.
        """
        keeper = self._keepers.get(peer)
        if keeper is None:
            return (await self.registry.clients.hub_client(peer)).is_frozen
        await keeper.refresh()
        return keeper.hub_client.is_frozen

    async def desk(self, key: LaneKey) -> LaneDesk:
        """The lane's desk, read from the registry where it is new here. Raises ``LaneNotFound``."""
        desk = self.desks.get(key)
        if desk is None:
            lane = await self.registry.lanes.get(key)
            desk = await self.read_desk(await self.registry.lanes.view(lane.lane_id))
        return desk

    async def read_desk(self, view: LaneView) -> LaneDesk:
        """The desk of the lane of *view*, up to date with it; with its routes where it is new."""
        desk = self.desks.get(view.lane.key)
        if desk is None:
            routes = await self._routes(view.lane.key)
            desk = self.desks.setdefault(view.lane.key, LaneDesk(view, routes))
        desk.refreshed(view)
        return desk

    async def read_routes(self, desk: LaneDesk) -> None:
        """*desk* judges by the routes that the registry holds now."""
        desk.routes = await self._routes(desk.key)

    async def _routes(self, key: LaneKey) -> Mapping[tuple[str, str], Route]:
        routes = await self.registry.lanes.routes(key)
        return {(route.key.source_port, route.key.destination_port): route for route in routes}


def _gates(view: LaneView) -> tuple[int, int]:
    return view.source.gate, view.destination.gate


def _newest(known: LaneSide, read: LaneSide) -> LaneSide:
    return LaneSide(
        epoch=max(known.epoch, read.epoch),
        gate=max(known.gate, read.gate),
        done=known.done | read.done,
        progress=_executed(known, read),
        outcome_count=max(known.outcome_count, read.outcome_count),
        reopened_count=max(known.reopened_count, read.reopened_count),
    )


def _executed(known: LaneSide, read: LaneSide) -> RangeSet:
    """Of two readings between which something was open again, the later one is right."""
    if known.reopened_count == read.reopened_count:
        return known.progress | read.progress
    return max(known, read, key=attrgetter("reopened_count")).progress
