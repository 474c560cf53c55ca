"""Everything that runs for one attached peer, under its lease: started together, ended together.

The owner gives each lane its ways out, tells the adapter where everything stands, and keeps in step
with what others change in the registry.

Source: design section 5.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import HubError, LeaseLost, PeerSuspended
from hub.core.lane import Order
from hub.core.peer import PeerState
from hub.core.time import SECOND, Duration
from hub.exchange.reading import exceptions_of
from relayer.accusations import Accusations
from relayer.alarms import Alarms
from relayer.audits import Audits
from relayer.chain_clients import ChainClients
from relayer.cursors import cursor, in_frames
from relayer.delivery import Delivery
from relayer.failpoints import Failpoint, hit
from relayer.feeding import feed_delivery, feed_settlement, outcome_indexes
from relayer.forwarding import ForwardedWork
from relayer.holes import HoleSweep
from relayer.inbound import Inbound
from relayer.news import POLL_EVERY
from relayer.refresh import ClientRefresh
from relayer.rounds import until_next
from relayer.runner import FlowRunner
from relayer.session import ITEM_CREDITS
from relayer.settlement import Settlement
from relayer.steps.events import Ended, Gate
from relayer.steps.flow import Flow, backlog
from relayer.steps.retries import due_retries, retries, waiting
from relayer.switchboard import Ownership
from relayer.telemetry import DELIVERY, SETTLEMENT
from relayer.timeouts import TimeoutSweep
from relayer.turns import Turns
from relayer.watches import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from hub.core.ids import PeerId
    from hub.core.lane import Lane, LaneSide, LaneView
    from hub.core.ranges import RangeSet
    from hub.core.record import ExceptionKind
    from hub.ports.leases import Fence
    from hub.ports.watching import WrittenLane
    from relayer.headers import HeaderKeeper
    from relayer.news import Inbox
    from relayer.runner import Carrier
    from relayer.session import Session
    from relayer.switchboard import LaneDesk, Switchboard
    from relayer.telemetry import Telemetry

_log = structlog.get_logger()

RENEW_EVERY: Final = Duration(SECOND)
LANES_AT_ONCE: Final = 16
"""Lanes that are looked at before frames have their turn."""
_MOVES: Final = True, True
"""A lane that accepts and delivers."""
VIEWS_AT_ONCE: Final = 512
"""Lanes that one question to the registry is about."""


class PeerOwner:
    """One peer's session and all that serves it."""

    def __init__(
        self, board: Switchboard, session: Session, fence: Fence, telemetry: Telemetry
    ) -> None:
        """An owner that writes under *fence*, not started."""
        self.session = session
        self.fence = fence
        self._board = board
        self._telemetry = telemetry
        self._inbound = Inbound(board, session, fence, telemetry)
        self._turns = Turns(session.execution_credits)
        self._alarms = Alarms(board.clock)
        self._accusations = Accusations(board, fence)
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: dict[int, LaneDesk] = {}
        self._held: dict[int, tuple[bool, bool]] = {}
        """Lanes that do not both accept and deliver, as this owner saw them last, and which."""
        self._runners: list[FlowRunner] = []
        self._keeper: HeaderKeeper | None = None
        self._forwarded: ForwardedWork | None = None
        self._inbox: Inbox | None = None
        self._is_beginning = False
        self._measured: Watch[LaneDesk] = Watch()
        self._read: Watch[LaneDesk] = Watch()
        """Lanes of which somebody here has read more than its ways out were told."""
        self._timeouts = TimeoutSweep(board, fence, self._inbound)
        self._holes = HoleSweep(board, fence, self._inbound)
        self._refresh = ClientRefresh(board, fence)
        self._audits = Audits(board, fence, telemetry)
        watches = (self._measured, self._timeouts.watch, self._holes.watch)
        self._as_destination = Ownership(make=self._make, watches=watches, reader=self._read)
        watches_back = (self._audits.watch,)
        self._as_source = Ownership(make=self._make, watches=watches_back, reader=self._read)

    @property
    def peer(self) -> PeerId:
        """Whom it owns."""
        return self.session.peer

    async def start(self) -> None:
        """The adapter is welcomed and everything runs. Raises ``HubError``."""
        hit(Failpoint.LEASE_TAKEN)
        # Others ask of the session as soon as the board has it, and its lanes' ways out go at once.
        self.session.hold()
        keeper = self._keeper = await self._board.keeper(self.peer)
        await keeper.refresh()
        keeper.attach(self.fence, self.session)
        self._board.sessions[self.peer] = self.session
        self._board.chain_clients[self.peer] = ChainClients(self.session, keeper)
        self._inbox = await self._board.news.subscribe(self.peer, self._is_news)
        await self._take_lanes(partial(self._welcome, keeper))
        self._spawn(self._alarms.run())
        self._spawn(self._inbound.run())
        self._spawn(self.session.beat())
        self._spawn(self._renew())
        self._spawn(self._poll())
        self._spawn(self._timeouts.run())
        self._spawn(self._holes.run())
        self._spawn(self._refresh.run())
        self._spawn(self._accusations.run())
        self._spawn(self._audits.run())
        self._forwarded = ForwardedWork(self._board, self.session, self.fence, keeper)
        self._spawn(self._forwarded.run())

    async def stop(self) -> None:
        """Nothing of it runs any more; the lease is given back."""
        self.session.end(LeaseLost(peer=self.peer, epoch=self.fence.epoch))
        board = self._board
        if board.sessions.get(self.peer) is self.session:
            del board.sessions[self.peer]
            del board.chain_clients[self.peer]
        if self._keeper is not None:
            self._keeper.detach(self.session)
        if self._inbox is not None:
            board.news.unsubscribe(self.peer, self._inbox)
        for desk in self._lanes.values():
            desk.given_up(self._ownership(desk))
        for task in list(self._tasks):
            task.cancel()
        stops = [runner.stop() for runner in self._runners]
        await asyncio.gather(*self._tasks, *stops, return_exceptions=True)
        await board.registry.leases.release(self.fence)

    async def find_lanes(self) -> None:
        """Lanes that are new here are owned, and told to the adapter."""
        await self._take_lanes()

    async def lane_changed(self, lane_id: int) -> None:
        """The lane, if it is owned, and its routes are as the registry holds them now."""
        desk = self._lanes.get(lane_id)
        if desk is not None:
            view = await self._board.registry.lanes.view(lane_id)
            if desk.has_routes:
                await self._board.read_routes(desk)
            await self.sync(desk, view)

    async def sync(
        self,
        desk: LaneDesk,
        view: LaneView,
        known: Mapping[int, Mapping[ExceptionKind, RangeSet]] | None = None,
    ) -> None:
        """The lane's way out knows everything that *view*, just read, and the registry hold.

        Its exceptions are among the *known* ones, if they were read. The desk's own view is no
        news of them: what this process accepted may be excepted since. Raises ``HubError``.
        """
        if known is None and view is not desk.view and not view.has_exceptions:
            known = {view.lane.lane_id: {}}
        counted = view.source.done
        desk.refreshed(view)
        self._read.drop(desk)
        view = desk.view
        if self._lanes.get(view.lane.lane_id) is not desk:
            return
        is_newer = bool(view.source.done - counted)
        self._note_moves(view)
        try:
            await self._feed(desk, None if is_newer else known)
        except BaseException:
            # The desk knows the news now, and nobody else would tell of them again.
            self._read.see(desk)
            raise
        if self._note_moves(desk.view, is_told=True):
            self._tell([[cursor(desk.view, self.peer)]])

    def _note_moves(self, view: LaneView, *, is_told: bool = False) -> bool:
        """Whether the lane does again what, as this owner saw it, it did not.

        That is news until the adapter *is_told*, whatever comes between.
        """
        lane_id, now = view.lane.lane_id, (view.accepts, view.delivers)
        then = self._held.pop(lane_id, _MOVES)
        seen = now if is_told else (now[0] and then[0], now[1] and then[1])
        if seen != _MOVES:
            self._held[lane_id] = seen
        return now[0] > then[0] or now[1] > then[1]

    async def _feed(
        self, desk: LaneDesk, known: Mapping[int, Mapping[ExceptionKind, RangeSet]] | None
    ) -> None:
        registry = self._board.registry
        if desk.key.destination_peer == self.peer:
            found = known.get(desk.view.lane.lane_id) if known is not None else None
            await feed_delivery(registry, desk, self.peer, found)
        else:
            await feed_settlement(registry, desk, self.peer)

    async def _sync_read(self) -> None:
        """The ways out know what somebody here has read. Raises ``HubError``."""
        left = self._read.take()[::-1]
        try:
            while left:
                await self.sync(left[-1], left[-1].view)
                left.pop()
        finally:
            for desk in left:
                self._read.see(desk)

    def accuse(self, peer: PeerId) -> None:
        """The client of *peer*, another one, is frozen: clients here that verify it are told."""
        self._accusations.accuse(peer)

    async def peer_changed(self) -> None:
        """The peer or its client has changed: a suspended one's session ends.

        A client that has started again is given its anchor's header. Raises ``HubError``.
        """
        found = await self._board.registry.peers.get(self.peer)
        if found.state is not PeerState.ACTIVE:
            self.session.end(PeerSuspended(peer=found.name))
        elif self._keeper is not None and self._keeper.waits and not self._is_beginning:
            self._is_beginning = True
            self._spawn(self._begin(self._keeper))

    async def _begin(self, keeper: HeaderKeeper) -> None:
        try:
            await keeper.begin()
        except HubError as error:
            _log.info("begin_failed", peer=self.peer, reason=error.reason, detail=str(error))
        finally:
            self._is_beginning = False

    def forwarded(self) -> None:
        """Another process asks something of the session, by a hint."""
        if self._forwarded is not None:
            self._forwarded.told()

    def lane(self, lane_id: int) -> LaneDesk | None:
        """The desk of an owned lane."""
        return self._lanes.get(lane_id)

    async def retries_asked(self, lane_id: int) -> None:
        """What an operator wants tried again on the lane, if it is owned, is tried now."""
        desk = self._lanes.get(lane_id)
        if desk is None:
            return
        registry = self._board.registry
        await self.sync(desk, await registry.lanes.view(lane_id))
        runner = self._runner(desk)
        if runner is None:
            return
        now = await registry.audit.clock()
        found = await exceptions_of(registry.exceptions, lane_id)
        due = due_retries(await registry.exceptions.among(lane_id, retries(found)), now)
        if desk.key.destination_peer != self.peer:
            due = await outcome_indexes(registry, lane_id, due)
        runner.again(due & waiting(runner.flow))

    def _own(self, desk: LaneDesk) -> bool:
        """Whether the lane's way out from here runs from now on; not twice, and not after all."""
        lane = desk.view.lane
        if self.session.ended.is_set() or lane.lane_id in self._lanes:
            return False
        self._lanes[lane.lane_id] = desk
        desk.owned(self.peer, self._ownership(desk))
        self._refresh.add(desk)
        return True

    def _ownership(self, desk: LaneDesk) -> Ownership:
        is_destination = desk.key.destination_peer == self.peer
        return self._as_destination if is_destination else self._as_source

    def _make(self, desk: LaneDesk) -> FlowRunner:
        """The lane's way out from here, which was at rest until now."""
        lane, view = desk.view.lane, desk.view
        if lane.key.destination_peer != self.peer:
            carrier: Carrier = Settlement(self._board, desk, self.fence)
            made = self._run(self._wide(), carrier, f"{lane.key}<", lane.key.destination_peer)
            made.feed(Gate(is_stopped=bool(view.destination_stopped)))
            return made
        flow = self._ordered(lane) if lane.order is not Order.UNORDERED else self._wide()
        carrier = Delivery(self._board, desk, self.fence)
        made = self._run(flow, carrier, f"{lane.key}>", lane.key.source_peer)
        made.feed(Gate(is_stopped=not view.delivers))
        made.feed(Ended(view.destination.done))
        return made

    def _ordered(self, lane: Lane) -> Flow:
        return Flow(window=1, order=lane.order, first=lane.first_sequence)

    def _wide(self) -> Flow:
        """A flow that fills, if it has so much, all that the chain takes at once."""
        return Flow(full_window=self.session.execution_credits)

    def _run(self, flow: Flow, carrier: Carrier, name: str, other: PeerId) -> FlowRunner:
        """The flow runs; it has its share of the turns of its way and of the peer *other*."""
        chance = self._board.randomness
        way = DELIVERY if name.endswith(">") else SETTLEMENT
        shares = (way, other)
        runner = FlowRunner(
            flow, carrier, self._turns, self._alarms, chance, name=name, shares=shares
        )
        runner.on_fault = self._fault
        runner.on_attempt = partial(self._telemetry.attempt, name[:-1], way)
        self._runners.append(runner)
        return runner

    def _runner(self, desk: LaneDesk) -> FlowRunner | None:
        is_destination = desk.key.destination_peer == self.peer
        return desk.delivery if is_destination else desk.settlement

    def _welcome(self, keeper: HeaderKeeper, frames: Sequence[Sequence[pb.LaneCursor]]) -> None:
        """The first lanes are told in the welcome."""
        first, *rest = frames
        latest = keeper.latest
        self.session.welcome(
            pb.Welcome(
                protocol_version=1,
                relayer=self._board.name,
                cursors=first,
                client_height=latest.height.number if latest else 0,
                anchor_height=keeper.hub_client.anchor.height.number,
                item_credits=ITEM_CREDITS,
            )
        )
        self._tell(rest)

    def _tell(self, frames: Iterable[Sequence[pb.LaneCursor]]) -> None:
        for cursors in frames:
            self.session.send(pb.RelayerFrame(lanes=pb.LaneCursors(cursors=cursors)))

    async def _renew(self) -> None:
        while True:
            # At the same moment as all other sessions of the process.
            await until_next(self._board.clock, RENEW_EVERY)
            try:
                await self._board.renewals.renew(self.fence)
            except LeaseLost as error:
                self.session.end(error)
                return
            except HubError as error:
                _log.warning("renewal_failed", peer=self.peer, reason=error.reason)
            hit(Failpoint.LEASE_RENEWED)

    async def _poll(self) -> None:
        while True:
            await until_next(self._board.clock, POLL_EVERY)
            try:
                await self._look_again()
            except HubError as error:
                _log.warning("poll_failed", peer=self.peer, reason=error.reason)

    async def _look_again(self) -> None:
        keeper, inbox = self._keeper, self._inbox
        if keeper is None or inbox is None:
            return
        await self._board.news.ask()
        if inbox.is_governed or keeper.waits:
            inbox.is_governed = False  # before it is read: what is written meanwhile is news
            try:
                await keeper.refresh()
                await self.peer_changed()
            except HubError:
                inbox.is_governed = True
                raise
        written = inbox.take()
        try:
            await self._read_written(written)
            await self._sync_read()
        except HubError:
            inbox.put(written)
            raise
        for desk in self._measured.take():
            runner = desk.standing(self.peer)
            if runner is not None:
                self._telemetry.lane(desk.key, backlog(runner.flow))
                if backlog(runner.flow):
                    self._measured.see(desk)

    def _is_news(self, lane: WrittenLane) -> bool:
        """Whether the lane is not known here as it was written."""
        desk = self._lanes.get(lane.lane_id)
        if desk is None or lane.is_changed:
            return True
        view = desk.view
        executed = lane.source.progress - view.source.progress
        if executed or not _shows(view.source, lane.source):
            return True
        return not _shows(view.destination, lane.destination)

    async def _read_written(self, lanes: Sequence[WrittenLane]) -> None:
        for at in range(0, len(lanes), VIEWS_AT_ONCE):
            some = lanes[at : at + VIEWS_AT_ONCE]
            views = await self._board.registry.lanes.views_of([lane.lane_id for lane in some])
            new = await self._read_lanes(views)
            self._tell(in_frames(new) if new else [])
            for lane in some:
                desk = self._lanes.get(lane.lane_id)
                if lane.is_changed and desk is not None and desk.has_routes:
                    await self._board.read_routes(desk)

    async def _take_lanes(
        self, welcome: Callable[[list[list[pb.LaneCursor]]], None] | None = None
    ) -> None:
        """Lanes that are new here are owned, some at a time, and told; first by *welcome*."""
        after = 0
        while True:
            lanes = self._board.registry.lanes
            views = await lanes.views(self.peer, after, VIEWS_AT_ONCE)
            unknown = [view for view in views if view.lane.lane_id not in self._lanes]
            new = await self._read_lanes(unknown)
            if welcome is not None:
                welcome(in_frames(new))
                welcome = None
            else:
                self._tell(in_frames(new) if new else [])
            if len(views) < VIEWS_AT_ONCE:
                return
            after = views[-1].lane.lane_id

    async def _read_lanes(self, views: Sequence[LaneView]) -> list[pb.LaneCursor]:
        """The lanes of *views* are owned and in step; the cursors of those that are new here."""
        new: list[pb.LaneCursor] = []
        busy = [view.lane.lane_id for view in views if self._is_open(view)]
        found = await self._board.registry.exceptions.ranges(busy) if busy else {}
        known = {lane_id: found.get(lane_id, {}) for lane_id in busy}
        for at, view in enumerate(views, 1):
            if at % LANES_AT_ONCE == 0:
                await asyncio.sleep(0)
            desk = self._lanes.get(view.lane.lane_id)
            if desk is None:
                desk = self._board.take_desk(view)
                if self._own(desk):
                    new.append(cursor(desk.view, self.peer))
            await self.sync(desk, view, known)
        return new

    def _is_open(self, view: LaneView) -> bool:
        is_destination = view.lane.key.destination_peer == self.peer
        return is_destination and bool(view.source.done - view.destination.done)

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fault(error)

    def _fault(self, error: BaseException) -> None:
        """A part that ends by a fault of ours ends the session: the adapter comes again."""
        _log.error("owner_task_failed", peer=self.peer, exc_info=error)
        self.session.end(LeaseLost(peer=self.peer, epoch=self.fence.epoch))


def _shows(known: LaneSide, written: LaneSide) -> bool:
    """Whether what is *known* of a side holds what was *written*, but for its progress."""
    counts = (known.gate, known.outcome_count, known.reopened_count)
    others = (written.gate, written.outcome_count, written.reopened_count)
    if any(mine < theirs for mine, theirs in zip(counts, others, strict=True)):
        return False
    return not written.done - known.done
