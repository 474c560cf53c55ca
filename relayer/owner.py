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
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, Duration
from relayer.accusations import Accusations
from relayer.audits import Audits
from relayer.chain_clients import ChainClients
from relayer.cursors import cursor, in_frames
from relayer.delivery import Delivery
from relayer.failpoints import Failpoint, hit
from relayer.forwarding import ForwardedWork
from relayer.holes import HoleSweep
from relayer.inbound import Inbound
from relayer.refresh import ClientRefresh
from relayer.runner import FlowRunner
from relayer.session import ITEM_CREDITS
from relayer.settlement import Settlement
from relayer.steps.flow import Added, Ended, Flow, Gate, backlog
from relayer.steps.retries import due_retries, excluded, retries, unparked, waiting
from relayer.telemetry import DELIVERY, SETTLEMENT
from relayer.timeouts import TimeoutSweep
from relayer.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from hub.core.ids import PeerId
    from hub.core.lane import Lane, LaneView
    from hub.ports.leases import Fence
    from relayer.headers import HeaderKeeper
    from relayer.runner import Carrier
    from relayer.session import Session
    from relayer.switchboard import LaneDesk, Switchboard
    from relayer.telemetry import Telemetry

_log = structlog.get_logger()

LEASE: Final = Duration(4 * SECOND)
RENEW_EVERY: Final = Duration(SECOND)
POLL_EVERY: Final = Duration(5 * SECOND)
"""The slow poll behind the hints."""
LANES_AT_ONCE: Final = 16
"""Lanes that one poll looks at before frames have their turn."""
ROUTES_AT_ONCE: Final = 64
"""Lanes whose routes one poll reads again."""


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
        self._accusations = Accusations(board, fence)
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: dict[int, LaneDesk] = {}
        self._runners: list[FlowRunner] = []
        self._keeper: HeaderKeeper | None = None
        self._forwarded: ForwardedWork | None = None
        self._next_routes = 0
        self._is_beginning = False
        self._read: dict[int, LaneView] = {}
        """By lane id, as the registry last showed it here."""

    @property
    def peer(self) -> PeerId:
        """Whom it owns."""
        return self.session.peer

    async def start(self) -> None:
        """The adapter is welcomed and everything runs. Raises ``HubError``."""
        hit(Failpoint.LEASE_TAKEN)
        keeper = self._keeper = await self._board.keeper(self.peer)
        await keeper.refresh()
        keeper.attach(self.fence, self.session)
        self._board.sessions[self.peer] = self.session
        self._board.chain_clients[self.peer] = ChainClients(self.session, keeper)
        views = await self._board.registry.lanes.views(self.peer)
        desks = [await self._board.read_desk(view) for view in views]
        latest = keeper.latest
        first, *rest = in_frames([cursor(desk.view, self.peer) for desk in desks])
        self.session.send(
            pb.RelayerFrame(
                welcome=pb.Welcome(
                    protocol_version=1,
                    relayer=self._board.name,
                    cursors=first,
                    client_height=latest.height.number if latest else 0,
                    anchor_height=keeper.hub_client.anchor.height.number,
                    item_credits=ITEM_CREDITS,
                )
            )
        )
        self._tell(rest)
        for desk in desks:
            self._own(desk)
            await self.sync(desk, desk.view)
        self._spawn(self._inbound.run())
        self._spawn(self.session.beat())
        self._spawn(self._renew())
        self._spawn(self._poll())
        self._spawn(TimeoutSweep(self._board, self.fence, self._inbound).run())
        self._spawn(HoleSweep(self._board, self.fence, self._inbound).run())
        self._spawn(ClientRefresh(self._board, self.fence, self._lanes).run())
        self._spawn(self._accusations.run())
        self._spawn(Audits(self._board, self.fence, self._lanes, self._telemetry).run())
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
        for desk in self._lanes.values():
            if desk.delivery in self._runners:
                desk.delivery = None
            if desk.settlement in self._runners:
                desk.settlement = None
        for task in list(self._tasks):
            task.cancel()
        stops = [runner.stop() for runner in self._runners]
        await asyncio.gather(*self._tasks, *stops, return_exceptions=True)
        await board.registry.leases.release(self.fence)

    async def find_lanes(self) -> None:
        """Lanes that are new here are owned, and told to the adapter."""
        await self._read_lanes(await self._board.registry.lanes.views(self.peer), again=False)

    async def lane_changed(self, lane_id: int) -> None:
        """The lane, if it is owned, and its routes are as the registry holds them now."""
        desk = self._lanes.get(lane_id)
        if desk is not None:
            view = await self._board.registry.lanes.view(lane_id)
            await self._board.read_routes(desk)
            await self.sync(desk, view)

    async def sync(self, desk: LaneDesk, view: LaneView) -> None:
        """The lane's way out knows everything that *view*, just read, and the registry hold."""
        before = desk.view
        self._read[view.lane.lane_id] = view
        desk.refreshed(view)
        view, runner = desk.view, self._runner(desk)
        if runner is None:
            return
        if view.lane.key.destination_peer == self.peer:
            runner.feed(Gate(is_stopped=not view.delivers))
            runner.feed(Ended(view.destination.done))
            open_ones = view.source.done - view.destination.done
            if open_ones:
                found = await self._board.registry.exceptions.of_lane(view.lane.lane_id)
                # Outcomes may have come meanwhile.
                open_ones -= desk.view.destination.done
                runner.again(unparked(retries(found) & open_ones, runner.flow))
                runner.feed(Added(open_ones - excluded(found)))
        else:
            runner.feed(Gate(is_stopped=bool(view.destination_stopped)))
            outcomes = RangeSet.span(0, view.destination.outcome_count)
            runner.feed(Added(outcomes - view.source.progress))
            if runner.flow.parked:
                await self._retry_outcomes(desk, runner)
        if _goes_on(before, view):
            self._tell([[cursor(view, self.peer)]])

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
        due = due_retries(await registry.exceptions.of_lane(lane_id), now)
        if desk.key.destination_peer != self.peer:
            due = await self._outcome_indexes(lane_id, due)
        runner.again(due & waiting(runner.flow))

    async def _retry_outcomes(self, desk: LaneDesk, runner: FlowRunner) -> None:
        """Outcomes that were parked, and no longer are in the registry, are tried."""
        lane_id = desk.view.lane.lane_id
        found = await self._board.registry.exceptions.of_lane(lane_id)
        asked = await self._outcome_indexes(lane_id, retries(found))
        runner.again(asked & runner.flow.parked)

    async def _outcome_indexes(self, lane_id: int, sequences: RangeSet) -> RangeSet:
        found = await self._board.registry.outcomes.find(lane_id, sequences)
        return RangeSet.of([outcome.outcome_index for outcome in found])

    def _own(self, desk: LaneDesk) -> bool:
        """Whether the lane's way out from here runs from now on; not twice, and not after all."""
        lane = desk.view.lane
        if self.session.ended.is_set() or lane.lane_id in self._lanes:
            return False
        self._lanes[lane.lane_id] = desk
        if lane.key.destination_peer == self.peer:
            flow = self._ordered(lane) if lane.order is not Order.UNORDERED else self._wide()
            carrier: Carrier = Delivery(self._board, desk, self.fence)
            desk.delivery = self._run(flow, carrier, f"{lane.key}>", lane.key.source_peer)
        else:
            flow = self._wide()
            carrier = Settlement(self._board, desk, self.fence)
            desk.settlement = self._run(flow, carrier, f"{lane.key}<", lane.key.destination_peer)
        return True

    def _ordered(self, lane: Lane) -> Flow:
        return Flow(window=1, order=lane.order, first=lane.first_sequence)

    def _wide(self) -> Flow:
        """A flow that fills, if it has so much, all that the chain takes at once."""
        return Flow(full_window=self.session.execution_credits)

    def _run(self, flow: Flow, carrier: Carrier, name: str, other: PeerId) -> FlowRunner:
        """The flow runs; it has its share of the turns of its way and of the peer *other*."""
        clock, chance = self._board.clock, self._board.randomness
        way = DELIVERY if name.endswith(">") else SETTLEMENT
        shares = (way, other)
        runner = FlowRunner(flow, carrier, self._turns, clock, chance, name=name, shares=shares)
        runner.on_fault = self._fault
        runner.on_attempt = partial(self._telemetry.attempt, name[:-1], way)
        self._runners.append(runner)
        runner.start()
        return runner

    def _runner(self, desk: LaneDesk) -> FlowRunner | None:
        is_destination = desk.key.destination_peer == self.peer
        return desk.delivery if is_destination else desk.settlement

    def _tell(self, frames: Iterable[Sequence[pb.LaneCursor]]) -> None:
        for cursors in frames:
            self.session.send(pb.RelayerFrame(lanes=pb.LaneCursors(cursors=cursors)))

    async def _renew(self) -> None:
        leases = self._board.registry.leases
        while True:
            await self._board.clock.sleep(RENEW_EVERY)
            try:
                await leases.renew(self.fence, LEASE, attached=True)
            except LeaseLost as error:
                self.session.end(error)
                return
            except HubError as error:
                _log.warning("renewal_failed", peer=self.peer, reason=error.reason)
            hit(Failpoint.LEASE_RENEWED)

    async def _poll(self) -> None:
        while True:
            await self._board.clock.sleep(POLL_EVERY)
            try:
                await self._look_again()
            except HubError as error:
                _log.warning("poll_failed", peer=self.peer, reason=error.reason)

    async def _look_again(self) -> None:
        keeper = await self._board.keeper(self.peer)
        await keeper.refresh()
        await self.peer_changed()
        await self._read_lanes(await self._board.registry.lanes.views(self.peer), again=True)
        desks = list(self._lanes.values())
        start = self._next_routes if self._next_routes < len(desks) else 0
        for desk in desks[start : start + ROUTES_AT_ONCE]:
            await self._board.read_routes(desk)
        self._next_routes = start + ROUTES_AT_ONCE

    async def _read_lanes(self, views: Sequence[LaneView], *, again: bool) -> None:
        """The lanes of *views* are owned; those that were before are only looked at *again*."""
        new: list[pb.LaneCursor] = []
        for at, view in enumerate(views, 1):
            if at % LANES_AT_ONCE == 0:
                await asyncio.sleep(0)
            desk = self._lanes.get(view.lane.lane_id)
            if desk is not None and not (again and self._may_have_changed(view)):
                continue
            if desk is None:
                desk = await self._board.read_desk(view)
                if self._own(desk):
                    new.append(cursor(desk.view, self.peer))
            await self.sync(desk, view)
            if view.lane.key.destination_peer == self.peer and desk.delivery is not None:
                self._telemetry.lane(desk.key, backlog(desk.delivery.flow))
        self._tell(in_frames(new) if new else [])

    def _may_have_changed(self, view: LaneView) -> bool:
        """Not where nothing is under way, and the registry shows what it showed before."""
        everything = RangeSet.span(0, view.destination.outcome_count)
        is_at_rest = view.source.done == view.destination.done
        is_at_rest = is_at_rest and view.source.progress == everything
        return not is_at_rest or self._read.get(view.lane.lane_id) != view

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


def _goes_on(before: LaneView, now: LaneView) -> bool:
    """Whether the lane does something now that it did not before."""
    return now.accepts > before.accepts or now.delivers > before.delivers
