"""What the parts of one relayer process share: keepers by peer, lanes by id, owners by peer.

A lane's two ends may be owned by two processes. What both know of it here is a copy of the
registry, read again on every hint and every refusal.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from hub.core.errors import AdapterOffline
from hub.core.lane import LaneSide
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import SECOND, Duration
from hub.ports.caller import Caller
from hub.wire.tracing import OFF
from relayer.asked import Asked
from relayer.chain_clients import ChainClients
from relayer.headers import HeaderKeeper
from relayer.large import LargeContent
from relayer.limiter import Limiter
from relayer.news import News
from relayer.penalties import Penalties
from relayer.remote import Forwarder
from relayer.renewals import Renewals
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
    from relayer.watches import Watch

    Ports = tuple[str, str]


LEASE: Final = Duration(4 * SECOND)
AUDIT_KEY_BYTES: Final = 32
NOTHING_TO_AUDIT: Final = AuditQueue()
MAX_UNKNOWN: Final = 65_536
"""Sequences of one lane that are remembered as answered, and not shown."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ownership:
    """What the owner of a peer does with its lanes; one for all lanes from it or to it."""

    make: Callable[[LaneDesk], FlowRunner]
    """Makes a lane's way out from there."""
    watches: tuple[Watch[LaneDesk], ...]
    """They see a lane whenever it changes."""
    reader: Watch[LaneDesk]
    """It sees a lane when more of it is read."""


class LaneDesk:
    """One lane as this process knows it, and its ways out where this process owns an end.

    Most lanes of a process are at rest: what one of them needs only when it carries something is
    made then.
    """

    __slots__ = (
        "_accepting",
        "_delivery",
        "_destination",
        "_limiter",
        "_routes",
        "_settlement",
        "_settling",
        "_source",
        "audits_lost",
        "next_timeout",
        "to_audit",
        "unknown",
        "view",
    )

    def __init__(self, view: LaneView, routes: Mapping[Ports, Route] | None = None) -> None:
        """The lane as read from the registry."""
        self.view = view
        self._routes = routes
        self.unknown = EMPTY
        """Sequences that the destination has answered, it is proven, and that nobody has shown."""
        self.to_audit = NOTHING_TO_AUDIT
        """Outcomes that the source reported executed, and has yet to show; a session's end leaves
        it as it is, the process's end loses it."""
        self.audits_lost = 0
        """Those for which there was no room."""
        self.next_timeout: int | None = None
        """No batch of its open packets waits for an earlier time (s); None where nobody knows."""
        self._accepting: asyncio.Lock | None = None
        self._settling: asyncio.Lock | None = None
        self._limiter: Limiter | None = None
        self._delivery: FlowRunner | None = None
        self._settlement: FlowRunner | None = None
        self._source: Ownership | None = None
        self._destination: Ownership | None = None

    @property
    def has_routes(self) -> bool:
        """Whether the routes are read; ``Switchboard.desk`` sees to it."""
        return self._routes is not None

    @property
    def routes(self) -> Mapping[Ports, Route]:
        """What it judges packets by. Raises ``RuntimeError`` before they are read."""
        if self._routes is None:
            raise RuntimeError(f"the routes of {self.key} are not read")
        return self._routes

    @routes.setter
    def routes(self, routes: Mapping[Ports, Route]) -> None:
        self._routes = routes

    @property
    def accepting(self) -> asyncio.Lock:
        """Held from judging packets to noting them."""
        lock = self._accepting = self._accepting or asyncio.Lock()
        return lock

    @property
    def settling(self) -> asyncio.Lock:
        """Held from judging outcomes to noting them."""
        lock = self._settling = self._settling or asyncio.Lock()
        return lock

    @property
    def limiter(self) -> Limiter:
        """The buckets of its routes."""
        limiter = self._limiter = self._limiter or Limiter()
        return limiter

    @property
    def delivery(self) -> FlowRunner | None:
        """The way to the destination, while this process owns that; made when it is asked for."""
        if self._delivery is None and self._destination is not None:
            self._delivery = self._destination.make(self)
        return self._delivery

    @delivery.setter
    def delivery(self, runner: FlowRunner | None) -> None:
        self._delivery = runner

    @property
    def settlement(self) -> FlowRunner | None:
        """The way back to the source, while this process owns that; made when it is asked for."""
        if self._settlement is None and self._source is not None:
            self._settlement = self._source.make(self)
        return self._settlement

    @settlement.setter
    def settlement(self, runner: FlowRunner | None) -> None:
        self._settlement = runner

    def standing(self, peer: PeerId) -> FlowRunner | None:
        """The way out that *peer*'s owner runs, if it was made."""
        is_destination = self.key.destination_peer == peer
        return self._delivery if is_destination else self._settlement

    def owned(self, peer: PeerId, ownership: Ownership) -> None:
        """*peer* is attached here: its *ownership* makes its way out, and sees the lane now."""
        if self.key.destination_peer == peer:
            self._delivery, self._destination = None, ownership
        else:
            self._settlement, self._source = None, ownership
        for watch in ownership.watches:
            watch.see(self)

    def given_up(self, ownership: Ownership) -> None:
        """What ``owned`` said is over; a later owner's ways out are left alone."""
        if self._destination is ownership:
            self._delivery = self._destination = None
        if self._source is ownership:
            self._settlement = self._source = None

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
        if view is known:
            return
        newer = view if view.gates >= known.gates else known
        lane = newer.lane if newer.lane != known.lane else known.lane
        self.view = replace(
            newer,
            lane=lane,  # what is equal is held once: there are many lanes
            source=_newest(known.source, view.source),
            destination=_newest(known.destination, view.destination),
        )
        if self.view.source.done != known.source.done:
            self.next_timeout = None  # others have accepted something
        if self.view != known:
            for ownership in self._ownerships():
                ownership.reader.see(self)
        self.touch()

    def accepted(self, view: LaneView, taken: RangeSet, earliest: int | None = None) -> None:
        """Packets judged by *view* are recorded at the source side.

        None of them times out before *earliest* (s), where that is known.
        """
        self.refreshed(view)
        if taken:
            source = self.view.source
            self.view = replace(self.view, source=replace(source, done=source.done | taken))
            if self.next_timeout is None or earliest is None:
                self.next_timeout = None
            else:
                self.next_timeout = min(self.next_timeout, earliest)
            self.touch()

    def answered(self, sequences: RangeSet) -> None:
        """The destination has answered *sequences*, which are not accepted: others carried them."""
        self.unknown = (self.unknown | sequences).take(MAX_UNKNOWN)
        self.touch()

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
        self.touch()

    def reopened(self, indexes: RangeSet) -> None:
        """The outcomes *indexes* are executed no more, as is recorded at the source side."""
        side = self.view.source
        count, progress = side.reopened_count + len(indexes), side.progress - indexes
        source = replace(side, progress=progress, reopened_count=count)
        self.view = replace(self.view, source=source)

    def settled(self, view: LaneView, taken: RangeSet) -> RangeSet:
        """Outcomes judged by *view* are recorded at the destination side; their indexes."""
        self.refreshed(view)
        first, side = view.destination.outcome_count, self.view.destination
        end = first + len(taken)
        if taken:
            count = max(side.outcome_count, end)
            after = replace(side, done=side.done | taken, outcome_count=count)
            self.view = replace(self.view, destination=after)
            self.touch()
        return RangeSet.span(first, end)

    def touch(self) -> None:
        """Something has changed: whoever watches the lane looks at it again."""
        for ownership in self._ownerships():
            for watch in ownership.watches:
                watch.see(self)

    def _ownerships(self) -> list[Ownership]:
        return [owner for owner in (self._source, self._destination) if owner is not None]


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
        self.asked = Asked(registry, clock, self.sessions)
        self.news = News(registry, clock)
        self.renewals = Renewals(registry.leases, LEASE, clock)
        self.large = LargeContent(clock)
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

    async def headers_stored(self, peer: PeerId) -> None:
        """What others store of *peer*'s chain counts here too; who is attached here has told it.

        Raises ``HubError``.
        """
        keeper = self._keepers.get(peer)
        if keeper is not None and peer not in self.sessions:
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
        """The lane's desk and its routes, read where they are new here. Raises ``LaneNotFound``."""
        desk = self.desks.get(key)
        if desk is None:
            lane = await self.registry.lanes.get(key)
            desk = self.take_desk(await self.registry.lanes.view(lane.lane_id))
        if not desk.has_routes:
            await self.read_routes(desk)
        return desk

    def take_desk(self, view: LaneView) -> LaneDesk:
        """The desk of the lane of *view*, up to date with it."""
        desk = self.desks.get(view.lane.key)
        if desk is None:
            desk = self.desks[view.lane.key] = LaneDesk(view)
        desk.refreshed(view)
        return desk

    async def read_routes(self, desk: LaneDesk) -> None:
        """*desk* judges by the routes that the registry holds now."""
        routes = await self.registry.lanes.routes(desk.key)
        desk.routes = {
            (route.key.source_port, route.key.destination_port): route for route in routes
        }


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
