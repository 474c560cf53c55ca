from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import LeaseLost, Reason, RegistryUnreachable, ShuttingDown
from hub.core.ids import ClientId
from hub.core.lane import LaneState, Order, Side
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, PacketException
from hub.core.time import SECOND
from hub.ports.lanes import OpeningPlan
from relayer.delivery import Delivery
from relayer.news import POLL_EVERY
from relayer.owner import RENEW_EVERY, PeerOwner
from relayer.session import ITEM_CREDITS
from relayer.settlement import Settlement
from relayer.steps.flow import WINDOW, Flow
from relayer.switchboard import LEASE
from tests.harness.clock import settle, until
from tests.harness.exchange import ADMIN, ANCHOR_HEIGHT, HANGZHOU, SUZHOU, Exchange
from tests.harness.station import Station, station

if TYPE_CHECKING:
    from hub.core.lane import LaneView
    from hub.core.packet import Packet
    from relayer.switchboard import LaneDesk
    from tests.harness.station import ScriptedAdapter


def said(adapter: ScriptedAdapter, kind: str) -> list[Any]:
    """The bodies of that kind that the relayer sent."""
    return [getattr(one, kind) for one in adapter.frames if one.WhichOneof("body") == kind]


def brought(adapter: ScriptedAdapter) -> list[int]:
    """How many items each execution brought."""
    return [len(one.receive.packets) + len(one.acknowledge.packets) for one in adapter.executions]


async def accepted(exchange: Exchange, count: int = 2) -> list[Packet]:
    packets = exchange.send(count)
    await exchange.accept(packets)
    return packets


def exception(sequence: int, kind: ExceptionKind) -> PacketException:
    return PacketException(
        sequence=sequence,
        kind=kind,
        reason=Reason.PACKET_INVALID,
        detail="",
        attempts=1,
        next_attempt_at=None,
    )


class TestWelcome:
    async def test_it_is_the_first_frame_and_tells_everything_that_is_durable(
        self, board: Station
    ) -> None:
        await accepted(board.exchange, 3)
        await board.own(HANGZHOU)
        await settle()
        first = board.left.frames[0]
        assert first.WhichOneof("body") == "welcome"
        welcome, key = first.welcome, board.exchange.key
        assert (welcome.protocol_version, welcome.relayer) == (1, "east-1")
        assert welcome.client_height == board.left.chain.height
        assert welcome.anchor_height == ANCHOR_HEIGHT
        assert welcome.item_credits == ITEM_CREDITS
        out, back = welcome.cursors
        assert (out.lane, out.is_source) == (key.name, True)
        assert out.done == [pb.SequenceRange(first=1, last=3)]
        assert (back.lane, back.is_source, list(back.done)) == (key.reverse.name, False, [])

    async def test_before_the_anchors_header_the_client_stands_at_no_height(
        self, board: Station
    ) -> None:
        board.registry.state.headers[HANGZHOU].clear()
        await board.own(HANGZHOU)
        await settle()
        assert said(board.left, "welcome")[0].client_height == 0

    async def test_cursors_of_many_lanes_are_told_in_several_frames(
        self, board: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("relayer.cursors.MAX_FRAME_BYTES", 120)
        await board.own(HANGZHOU)
        await settle()
        assert [one.WhichOneof("body") for one in board.left.frames[:2]] == ["welcome", "lanes"]
        told = [*said(board.left, "welcome")[0].cursors, *said(board.left, "lanes")[0].cursors]
        assert len(told) == 2


class TestResumption:
    async def test_what_was_accepted_before_is_delivered_and_what_has_ended_brought_back(
        self, board: Station
    ) -> None:
        exchange = board.exchange
        done = await accepted(exchange)
        await exchange.deliver(done)
        await exchange.acknowledge(done)
        await accepted(exchange, 3)
        await board.own()
        await until(lambda: sum(brought(board.right)) == 3 and sum(brought(board.left)) == 2)
        await board.clock.advance(Settlement.linger)
        await until(
            lambda: len(board.registry.state.lanes[1].sides[Side.SOURCE].progress.truth) == 2
        )

    @pytest.mark.parametrize(
        "kind", [ExceptionKind.DENIED, ExceptionKind.PARKED, ExceptionKind.HOLE]
    )
    async def test_what_is_excluded_is_not_delivered(
        self, board: Station, kind: ExceptionKind
    ) -> None:
        await accepted(board.exchange, 3)
        lane = await board.exchange.lane_id()
        fence = board.exchange.fences[SUZHOU]
        await board.registry.exceptions.put(fence, lane, [exception(2, kind)])
        await board.own()
        await until(lambda: sum(brought(board.right)) == 2)
        await board.rests()
        assert sum(brought(board.right)) == 2

    async def test_what_is_complete_already_is_not_brought_back_again(self, board: Station) -> None:
        exchange = board.exchange
        packets = await accepted(exchange)
        await exchange.deliver(packets)
        await exchange.acknowledge(packets)
        await exchange.complete(packets)
        await board.own()
        await board.rests()
        assert board.left.executions == []


class TestLanes:
    async def open_another(self, board: Station) -> None:
        """A second pair of lanes, over other clients."""
        key = board.exchange.key
        plan = OpeningPlan(
            source=HANGZHOU,
            destination=SUZHOU,
            source_client=None,
            destination_client=None,
            from_sequence=0,
            order=Order.ENFORCED,
            allow_routes=(),
        )
        opening = await board.registry.lanes.start_opening(plan, ADMIN)
        other = replace(
            key,
            source_client=ClientId("07-tendermint-5"),
            destination_client=ClientId("07-tendermint-6"),
        )
        await board.registry.lanes.finish_opening(opening.number, [(other, 1), (other.reverse, 1)])

    async def test_a_lane_that_opens_later_is_told_and_owned_once(self, owned: Station) -> None:
        await self.open_another(owned)
        owner = owned.owners[HANGZHOU]
        await asyncio.gather(owner.find_lanes(), owner.find_lanes())
        await owner.find_lanes()
        await settle()
        [told] = said(owned.left, "lanes")
        assert [cursor.is_source for cursor in told.cursors] == [True, False]
        assert len(owner._lanes) == 4

    async def test_an_ordered_lane_carries_one_attempt_at_a_time(self, owned: Station) -> None:
        await self.open_another(owned)
        await owned.owners[SUZHOU].find_lanes()
        flows = {
            desk.key.destination_client: desk.delivery.flow
            for desk in owned.board.desks.values()
            if desk.delivery is not None and desk.key.destination_peer == SUZHOU
        }
        assert flows[ClientId("07-tendermint-6")] == Flow(window=1, order=Order.ENFORCED, first=1)
        granted = owned.right.session.execution_credits
        assert flows[owned.exchange.key.destination_client] == Flow(full_window=granted)
        assert granted > WINDOW

    async def test_a_pause_stops_deliveries_and_the_end_of_it_is_told_to_the_adapter(
        self, owned: Station
    ) -> None:
        lane_id = await owned.exchange.lane_id()
        await owned.registry.lanes.pause(owned.exchange.key, "inspection", ADMIN)
        for owner in owned.owners.values():
            await owner.lane_changed(lane_id)
        desk = await owned.desk()
        assert desk.view.lane.state is LaneState.PAUSED
        assert desk.delivery is not None
        assert desk.settlement is not None
        assert (desk.delivery.flow.is_stopped, desk.settlement.flow.is_stopped) == (True, False)
        assert said(owned.left, "lanes") == []
        before = [len(said(adapter, "lanes")) for adapter in (owned.left, owned.right)]
        await owned.registry.lanes.resume(owned.exchange.key, ADMIN)
        # Whoever looks first: both hear of it.
        for peer in (SUZHOU, HANGZHOU):
            await owned.owners[peer].lane_changed(lane_id)
        await settle()
        assert not desk.delivery.flow.is_stopped
        told = [len(said(adapter, "lanes")) for adapter in (owned.left, owned.right)]
        assert told == [count + 1 for count in before]

    async def test_the_end_of_a_pause_is_told_though_its_beginning_was_seen_in_vain(
        self, owned: Station
    ) -> None:
        async def away(*_: Any) -> None:
            raise RegistryUnreachable(problem="away")

        owner, lane_id = owned.owners[HANGZHOU], await owned.exchange.lane_id()
        before = len(said(owned.left, "lanes"))
        await owned.registry.lanes.pause(owned.exchange.key, "inspection", ADMIN)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, "_feed", away)
            with pytest.raises(RegistryUnreachable):
                await owner.lane_changed(lane_id)
        await owned.registry.lanes.resume(owned.exchange.key, ADMIN)
        await owner.lane_changed(lane_id)
        await settle()
        assert len(said(owned.left, "lanes")) == before + 1

    async def test_a_freeze_of_the_destination_stops_both_ways(self, owned: Station) -> None:
        await owned.registry.clients.freeze(SUZHOU, "inspection", None, ADMIN)
        for owner in owned.owners.values():
            await owner.lane_changed(await owned.exchange.lane_id())
        desk = await owned.desk()
        assert desk.delivery is not None
        assert desk.settlement is not None
        assert desk.delivery.flow.is_stopped
        assert desk.settlement.flow.is_stopped

    async def test_a_lane_of_others_changes_nothing(self, owned: Station) -> None:
        await owned.owners[HANGZHOU].lane_changed(99)
        assert owned.owners[HANGZHOU].lane(99) is None

    async def test_routes_count_once_they_are_told_of(self, owned: Station) -> None:
        await owned.exchange.allow("notary", "archive")
        await owned.owners[HANGZHOU].lane_changed(await owned.exchange.lane_id())
        assert ("notary", "archive") in (await owned.desk()).routes


class TestGovernance:
    async def test_a_suspension_ends_the_session_and_nothing_else_does(
        self, owned: Station
    ) -> None:
        owner = owned.owners[HANGZHOU]
        await owner.peer_changed()
        assert not owner.session.ended.is_set()
        await owned.registry.peers.suspend(HANGZHOU, "inspection", ADMIN)
        await owner.peer_changed()
        assert owner.session.end_cause.reason is Reason.PEER_SUSPENDED

    async def test_a_client_that_starts_again_is_given_its_anchors_header_once(
        self, owned: Station
    ) -> None:
        owner, keeper = owned.owners[HANGZHOU], await owned.keeper(HANGZHOU)
        await owned.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        owned.exchange.grow(2)
        height = owned.left.chain.height
        anchor, now = owned.exchange.anchor(HANGZHOU, height), owned.clock.now()
        await owned.registry.clients.recover(HANGZHOU, anchor, now, "mended", ADMIN)
        await keeper.refresh()
        for _ in range(3):
            await owner.peer_changed()
        await until(lambda: keeper.latest)
        asked = [one for one in owned.left.requests if one.WhichOneof("body") == "headers"]
        assert [list(one.headers.heights) for one in asked] == [[height]]

    async def test_an_adapter_that_has_not_the_anchors_header_is_asked_again(
        self, owned: Station
    ) -> None:
        owner, keeper = owned.owners[HANGZHOU], await owned.keeper(HANGZHOU)
        await owned.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        height = owned.left.chain.height + 2
        owned.exchange.grow(2)
        anchor, now = owned.exchange.anchor(HANGZHOU, height), owned.clock.now()
        await owned.registry.clients.recover(HANGZHOU, anchor, now, "mended", ADMIN)
        await keeper.refresh()
        refusal = pb.Refusal(reason=Reason.HEADER_NOT_FOUND, detail="pruned")
        owned.left.answers = lambda _: pb.Answer(refusal=refusal)
        await owner.peer_changed()
        await until(lambda: not owner._is_beginning)
        assert keeper.waits
        owned.left.answers = lambda _: None
        await owner.peer_changed()
        await until(lambda: keeper.latest)

    async def test_a_lane_that_only_accepts_again_is_told_to_the_source(
        self, owned: Station
    ) -> None:
        owner, lane = owned.owners[HANGZHOU], await owned.desk()
        lane_id = lane.view.lane.lane_id
        await owned.registry.lanes.drain(owned.exchange.key, "the last year", ADMIN)
        await owner.lane_changed(lane_id)
        before = len(said(owned.left, "lanes"))
        await owned.registry.lanes.resume(owned.exchange.key, ADMIN)
        await owner.lane_changed(lane_id)
        await settle()
        assert len(said(owned.left, "lanes")) == before + 1


class TestPoll:
    async def test_what_no_hint_told_of_is_found(self, owned: Station) -> None:
        """Packets and outcomes of another process, a pause, a route, a freeze."""
        await owned.exchange.allow("notary", "archive")
        packets = await accepted(owned.exchange)
        await owned.seconds(POLL_EVERY // SECOND)
        await until(lambda: sum(brought(owned.right)) == len(packets))
        assert ("notary", "archive") in (await owned.desk()).routes
        await owned.registry.lanes.pause(owned.exchange.key, "inspection", ADMIN)
        await owned.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        await owned.seconds(POLL_EVERY // SECOND)
        await until(lambda: owned.board.desks[owned.exchange.key].view.source_stopped)
        assert (await owned.keeper(HANGZHOU)).hub_client.is_frozen

    async def test_a_lane_at_rest_is_left_alone_until_something_changes(
        self, owned: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        owner, desk = owned.owners[SUZHOU], await owned.desk()
        looked_at: list[str] = []
        genuine = owner.sync

        async def noted(found: LaneDesk, view: LaneView, *more: Any) -> None:
            looked_at.append(found.key.name)
            await genuine(found, view, *more)

        monkeypatch.setattr(owner, "sync", noted)
        await owned.seconds(2 * POLL_EVERY // SECOND)
        assert looked_at == []
        await owned.registry.lanes.pause(desk.key, "inspection", ADMIN)
        await owned.seconds(POLL_EVERY // SECOND)
        assert looked_at == [desk.key.name]
        await owned.registry.lanes.resume(desk.key, ADMIN)
        await owned.seconds(POLL_EVERY // SECOND)
        await accepted(owned.exchange)
        looked_at.clear()
        await owned.seconds(2 * POLL_EVERY // SECOND)
        assert set(looked_at) == {desk.key.name}

    async def test_a_poll_that_fails_is_made_again(
        self, owned: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: Any) -> None:
            raise RegistryUnreachable(problem="away")

        with monkeypatch.context() as patch:
            patch.setattr(owned.registry.watching, "written", away)
            await owned.seconds(POLL_EVERY // SECOND)
        assert not owned.left.session.ended.is_set()
        await accepted(owned.exchange)
        await owned.seconds(POLL_EVERY // SECOND)
        await until(lambda: brought(owned.right))

    async def test_it_measures_lanes_and_attempts(self, owned: Station) -> None:
        await accepted(owned.exchange)
        await owned.seconds(POLL_EVERY // SECOND)
        await owned.rests()
        sample = owned.telemetry.collection.get_sample_value
        lane = {"lane": str(owned.exchange.key)}
        assert sample("ydhub_backlog_packets", lane) == 0
        delivered = {**lane, "way": "delivery", "reason": "OK"}
        assert sample("ydhub_attempts_total", delivered) == 1


class TestLease:
    async def test_it_is_renewed_every_second(self, owned: Station) -> None:
        await owned.seconds(2 * LEASE // SECOND)
        [hangzhou, _] = await owned.registry.leases.all()
        assert hangzhou.attached
        assert hangzhou.expires_at == owned.clock.now() + LEASE

    async def test_where_it_is_lost_the_session_ends(self, owned: Station) -> None:
        await owned.registry.leases.acquire(HANGZHOU, "east-1", LEASE)
        await owned.seconds(RENEW_EVERY // SECOND)
        assert isinstance(owned.left.session.end_cause, LeaseLost)
        assert not owned.right.session.ended.is_set()

    async def test_where_the_registry_is_away_it_is_tried_again(
        self, owned: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(*_: Any, **__: Any) -> None:
            raise RegistryUnreachable(problem="away")

        with monkeypatch.context() as patch:
            patch.setattr(owned.registry.leases, "renew_all", away)
            await owned.seconds(3)
        assert not owned.left.session.ended.is_set()


class TestEnd:
    async def test_nothing_of_it_runs_afterwards_and_the_lease_is_given_back(
        self, board: Station
    ) -> None:
        before = asyncio.all_tasks()
        await board.own()
        await accepted(board.exchange)
        board.right.reports_nothing = True
        await board.owners[SUZHOU].lane_changed(await board.exchange.lane_id())
        await until(lambda: board.right.executions)
        epochs = {lease.peer: lease.epoch for lease in await board.registry.leases.all()}
        for owner in board.owners.values():
            await owner.stop()
        for adapter in board.adapters.values():
            await adapter.close()
        await board.rests()
        assert asyncio.all_tasks() - before == set()
        assert await board.registry.leases.all() == []
        assert board.registry.state.leases[HANGZHOU].epoch > epochs[HANGZHOU]
        assert board.board.sessions == {}
        assert board.board.chain_clients == {}
        desk = await board.desk()
        assert (desk.delivery, desk.settlement) == (None, None)
        assert not board.clock.is_awaited

    async def test_what_happens_to_a_lane_afterwards_starts_nothing(self, owned: Station) -> None:
        desk = await owned.desk()
        delivery = desk.delivery
        assert delivery is not None
        await owned.owners[SUZHOU].stop()
        await owned.lease(SUZHOU)
        await accepted(owned.exchange)
        await owned.owners[SUZHOU].find_lanes()
        await owned.owners[SUZHOU].lane_changed(await owned.exchange.lane_id())
        await settle()
        assert desk.delivery is None
        assert not delivery._tasks
        assert owned.right.executions == []

    async def test_a_lane_found_while_it_ends_is_not_owned(self, owned: Station) -> None:
        await TestLanes().open_another(owned)
        owner = owned.owners[HANGZHOU]
        owned.left.session.end(ShuttingDown())
        lanes = len(owner._lanes)
        await owner.find_lanes()
        assert len(owner._lanes) == lanes

    async def test_the_next_owners_ways_out_are_left_alone(self, board: Station) -> None:
        """Where an old owner is slow to end, the new one has its lanes already."""
        await board.own(SUZHOU)
        old = board.owners[SUZHOU]
        await board.own(SUZHOU)
        desk = await board.desk()
        new = desk.delivery
        await old.stop()
        assert desk.delivery is new
        assert board.board.sessions[SUZHOU] is board.right.session

    async def test_a_part_that_ends_by_a_fault_ends_the_session(
        self, owned: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def broken(*_: Any, **__: Any) -> None:
            raise KeyError("a bug")

        monkeypatch.setattr(owned.registry.leases, "renew_all", broken)
        await owned.seconds(1)
        assert owned.left.session.ended.is_set()
        assert owned.right.session.ended.is_set()

    async def test_a_start_that_fails_is_undone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with station() as board:
            session = board.session(HANGZHOU)
            fence = await board.lease(HANGZHOU)
            owner = PeerOwner(board.board, session, fence, board.telemetry)

            async def away(*_: Any) -> None:
                raise RegistryUnreachable(problem="away")

            monkeypatch.setattr(board.registry.lanes, "views", away)
            with pytest.raises(RegistryUnreachable):
                await owner.start()
            await owner.stop()
            assert board.board.sessions == {}
            assert [lease.peer for lease in await board.registry.leases.all()] == [SUZHOU]


async def test_a_whole_exchange_runs_by_itself(owned: Station) -> None:
    packets = owned.exchange.send(5)
    await owned.left.show()
    await owned.left.verdict(packets=owned.left.packets(packets))
    await until(lambda: owned.right.executions)
    owned.exchange.path.advance()
    await owned.right.show()
    await owned.right.verdict(acknowledgements=owned.right.acknowledgements(packets))
    await until(lambda: owned.left.executions)
    await owned.clock.advance(Delivery.linger)
    side = owned.registry.state.lanes[1].sides[Side.SOURCE]
    await until(lambda: side.progress.truth == RangeSet.span(0, 5))
    violations = await owned.registry.audit.violations()
    assert [found for found in violations if found.count] == []
