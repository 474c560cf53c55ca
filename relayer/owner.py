"""Everything that runs for one attached peer, under its lease: started together, ended together.

The owner gives each lane its ways out, tells the adapter where everything stands, and keeps in step
with what others change in the registry.

Source: design section 5.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import HubError, LeaseLost
from hub.core.lane import LaneState, Order
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind
from hub.core.time import SECOND, Duration
from hub.wire.frames import ranges_to_proto
from relayer.chain_clients import ChainClients
from relayer.delivery import Delivery
from relayer.failpoints import Failpoint, hit
from relayer.inbound import Inbound
from relayer.refresh import ClientRefresh
from relayer.runner import FlowRunner
from relayer.session import ITEM_CREDITS
from relayer.settlement import Settlement
from relayer.steps.flow import Added, Ended, Flow, Gate
from relayer.timeouts import TimeoutSweep

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from hub.core.ids import PeerId
    from hub.ports.leases import Fence
    from relayer.session import Session
    from relayer.switchboard import LaneDesk, Switchboard
    from relayer.telemetry import Telemetry

_log = structlog.get_logger()

LEASE: Final = Duration(5 * SECOND)
RENEW_EVERY: Final = Duration(SECOND)
POLL_EVERY: Final = Duration(5 * SECOND)
"""The slow poll behind the hints."""
WINDOW: Final = 4
"""Attempts of a lane without order that may be in flight."""

_EXCLUDED = frozenset({ExceptionKind.DENIED, ExceptionKind.HOLE, ExceptionKind.PARKED})


class PeerOwner:
    """One peer's session and all that serves it."""

    def __init__(
        self, board: Switchboard, session: Session, fence: Fence, telemetry: Telemetry
    ) -> None:
        """An owner that writes under *fence*, not started."""
        self.session = session
        self.fence = fence
        self._board = board
        self._inbound = Inbound(board, session, fence, telemetry)
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: dict[int, LaneDesk] = {}

    @property
    def peer(self) -> PeerId:
        """Whom it owns."""
        return self.session.peer

    async def start(self) -> None:
        """The adapter is welcomed and everything runs. Raises ``HubError``."""
        hit(Failpoint.LEASE_TAKEN)
        keeper = await self._board.keeper(self.peer)
        await keeper.refresh()
        keeper.attach(self.fence, self.session)
        self._board.sessions[self.peer] = self.session
        self._board.chain_clients[self.peer] = ChainClients(self.session, keeper)
        views = await self._board.registry.lanes.views(self.peer)
        desks = [await self._board.read_desk(view) for view in views]
        latest = keeper.latest
        self.session.send(
            pb.RelayerFrame(
                welcome=pb.Welcome(
                    protocol_version=1,
                    relayer=self._board.name,
                    cursors=[self._cursor(desk) for desk in desks],
                    client_height=latest.height.number if latest else 0,
                    anchor_height=keeper.hub_client.anchor.height.number,
                    item_credits=ITEM_CREDITS,
                )
            )
        )
        for desk in desks:
            self._own(desk)
            await self.sync(desk)
        self._spawn(self._inbound.run())
        self._spawn(self.session.beat())
        self._spawn(self._renew())
        self._spawn(self._poll())
        self._spawn(TimeoutSweep(self._board, self.fence, self._inbound).run())
        self._spawn(ClientRefresh(self._board, self.peer, self._lanes).run())

    async def stop(self) -> None:
        """Nothing of it runs any more; the lease is given back."""
        self.session.end(LeaseLost(peer=self.peer, epoch=self.fence.epoch))
        runners = [self._runner(desk) for desk in self._lanes.values()]
        for runner in runners:
            if runner is not None:
                await runner.stop()
        for desk in self._lanes.values():
            if desk.key.destination_peer == self.peer:
                desk.delivery = None
            else:
                desk.settlement = None
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        (await self._board.keeper(self.peer)).detach(self.session)
        if self._board.sessions.get(self.peer) is self.session:
            del self._board.sessions[self.peer]
            del self._board.chain_clients[self.peer]
        await self._board.registry.leases.release(self.fence)

    async def lanes_changed(self) -> None:
        """Lanes and routes are read again; lanes new here are owned and told to the adapter."""
        cursors: list[pb.LaneCursor] = []
        for view in await self._board.registry.lanes.views(self.peer):
            desk = await self._board.read_desk(view)
            if view.lane.lane_id not in self._lanes:
                self._own(desk)
                cursors.append(self._cursor(desk))
            await self.sync(desk)
        if cursors:
            self.session.send(pb.RelayerFrame(lanes=pb.LaneCursors(cursors=cursors)))

    async def sync(self, desk: LaneDesk) -> None:
        """The lane's way out knows everything that the registry holds now."""
        registry = self._board.registry
        view = await registry.lanes.view(desk.view.lane.lane_id)
        desk.refreshed(view)
        view = desk.view
        lane, runner = view.lane, self._runner(desk)
        if runner is None:
            return
        if lane.key.destination_peer == self.peer:
            stopped = lane.state is not LaneState.OPEN
            stopped = stopped or bool(view.source_stopped or view.destination_stopped)
            runner.feed(Gate(is_stopped=stopped))
            excluded = RangeSet.of(
                [
                    found.sequence
                    for found in await registry.exceptions.of_lane(lane.lane_id)
                    if found.kind in _EXCLUDED
                ]
            )
            runner.feed(Ended(view.destination.done))
            runner.feed(Added(view.source.done - view.destination.done - excluded))
        else:
            runner.feed(Gate(is_stopped=bool(view.destination_stopped)))
            outcomes = RangeSet.span(0, view.destination.outcome_count)
            runner.feed(Added(outcomes - view.source.progress))

    def lane(self, lane_id: int) -> LaneDesk | None:
        """The desk of an owned lane."""
        return self._lanes.get(lane_id)

    def _own(self, desk: LaneDesk) -> None:
        lane = desk.view.lane
        self._lanes[lane.lane_id] = desk
        clock, chance = self._board.clock, self._board.randomness
        if lane.key.destination_peer == self.peer:
            in_order = lane.order is not Order.UNORDERED
            flow = Flow(window=1 if in_order else WINDOW, in_order=in_order)
            carrier = Delivery(self._board, desk, self.fence)
            desk.delivery = FlowRunner(flow, carrier, clock, chance, f"{lane.key}>")
            desk.delivery.start()
        else:
            flow = Flow(window=WINDOW, awaits_proof=False)
            settle = Settlement(self._board, desk, self.fence)
            desk.settlement = FlowRunner(flow, settle, clock, chance, f"{lane.key}<")
            desk.settlement.start()

    def _runner(self, desk: LaneDesk) -> FlowRunner | None:
        is_destination = desk.key.destination_peer == self.peer
        return desk.delivery if is_destination else desk.settlement

    def _cursor(self, desk: LaneDesk) -> pb.LaneCursor:
        view, key = desk.view, desk.key
        is_source = key.source_peer == self.peer
        own, other = key.source_client, key.destination_client
        return pb.LaneCursor(
            lane=key.name,
            is_source=is_source,
            first_sequence=view.lane.first_sequence,
            done=ranges_to_proto(view.source.done if is_source else view.destination.done),
            client=own if is_source else other,
            counterparty_client=other if is_source else own,
        )

    async def _renew(self) -> None:
        leases = self._board.registry.leases
        while True:
            await self._board.clock.sleep(RENEW_EVERY)
            try:
                await leases.renew(self.fence, LEASE, attached=True)
            except LeaseLost as error:
                self.session.end(error)
            except HubError as error:
                _log.warning("renewal_failed", peer=self.peer, reason=error.reason)
            hit(Failpoint.LEASE_RENEWED)

    async def _poll(self) -> None:
        while True:
            await self._board.clock.sleep(POLL_EVERY)
            try:
                keeper = await self._board.keeper(self.peer)
                await keeper.refresh()
                await self.lanes_changed()
            except HubError as error:
                _log.warning("poll_failed", peer=self.peer, reason=error.reason)

    def _spawn(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        """A part that ends by a fault of ours ends the session: the adapter comes again."""
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("owner_task_failed", peer=self.peer, exc_info=task.exception())
            self.session.end(LeaseLost(peer=self.peer, epoch=self.fence.epoch))
