from __future__ import annotations

import asyncio
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import AdapterOffline, ClientNotFound, LaneNotFound, ShuttingDown
from hub.core.ids import PeerId
from hub.core.lane import LaneState
from hub.core.ranges import EMPTY, RangeSet
from relayer.steps.audits import MOST
from relayer.switchboard import Switchboard
from tests.harness.clock import FixedChance
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.simchain import TRANSFER

if TYPE_CHECKING:
    from hub.core.lane import LaneView
    from tests.harness.station import Station


async def view_of(board: Station) -> LaneView:
    return await board.registry.lanes.view((await board.desk()).view.lane.lane_id)


class TestDesks:
    async def test_a_lane_is_read_once_with_its_routes(self, board: Station) -> None:
        desk = await board.board.desk(board.exchange.key)
        assert await board.board.desk(board.exchange.key) is desk
        assert desk.key == board.exchange.key
        assert list(desk.routes) == [(TRANSFER, TRANSFER)]

    async def test_a_lane_that_is_not_open_has_none_and_is_asked_for_again(
        self, board: Station
    ) -> None:
        unknown = replace(board.exchange.key, source_peer=PeerId("wuxi"))
        with pytest.raises(LaneNotFound):
            await board.board.desk(unknown)
        assert unknown not in board.board.desks

    async def test_routes_are_read_again_when_told(self, board: Station) -> None:
        desk = await board.desk()
        await board.exchange.allow("notary", "archive")
        assert len(desk.routes) == 1
        await board.board.read_routes(desk)
        assert ("notary", "archive") in desk.routes

    async def test_what_this_process_has_noted_stays_when_the_lane_is_read_again(
        self, board: Station
    ) -> None:
        desk, before = await board.desk(), await view_of(board)
        desk.accepted(before, RangeSet.of([1, 2]))
        assert desk.settled(before, RangeSet.of([1])) == RangeSet.of([0])
        desk.completed(RangeSet.of([0]))
        desk.refreshed(before)
        view = desk.view
        assert view.source.done == RangeSet.of([1, 2])
        assert view.source.progress == RangeSet.of([0])
        assert (view.destination.done, view.destination.outcome_count) == (RangeSet.of([1]), 1)

    async def test_a_lane_that_is_read_again_is_held_once(self, board: Station) -> None:
        desk = await board.desk()
        lane = desk.view.lane
        desk.refreshed(deepcopy(desk.view))
        assert desk.view.lane is lane
        paused = replace(lane, state=LaneState.PAUSED, revision=lane.revision + 1)
        desk.refreshed(replace(desk.view, lane=paused))
        assert desk.view.lane is paused

    async def test_what_is_open_again_stays_open_by_older_readings(self, board: Station) -> None:
        desk, before = await board.desk(), await view_of(board)
        source = replace(before.source, progress=RangeSet.span(0, 4))
        old = replace(before, source=source)
        desk.refreshed(old)
        desk.reopened(RangeSet.of([1, 2]))
        desk.refreshed(old)
        assert desk.view.source.progress == RangeSet.of([0, 3])
        assert desk.view.source.reopened_count == 2
        desk.completed(RangeSet.of([1]))
        desk.refreshed(desk.view)
        assert desk.view.source.progress == RangeSet.of([0, 1, 3])

    async def test_what_another_process_opened_again_is_open_here(self, board: Station) -> None:
        desk, before = await board.desk(), await view_of(board)
        desk.completed(RangeSet.span(0, 4))
        source = replace(before.source, progress=RangeSet.of([0]), reopened_count=3)
        desk.refreshed(replace(before, source=source))
        assert desk.view.source.progress == RangeSet.of([0])

    async def test_what_found_no_room_for_an_audit_is_counted(self, board: Station) -> None:
        desk = await board.desk()
        desk.owes_proof(RangeSet.span(0, 5), RangeSet.span(3, MOST), board.clock.now())
        assert (len(desk.to_audit), desk.audits_lost) == (MOST // 2, MOST - MOST // 2)
        desk.owes_proof(RangeSet.of([MOST]), EMPTY, board.clock.now())
        assert len(desk.to_audit) == MOST // 2 + 1

    async def test_what_is_audited_is_chosen_by_a_key_of_the_process(self, board: Station) -> None:
        found = board.board
        args = (found.registry, found.clock, FixedChance(1, 3), found.pool, found.name)
        assert len(found.audit_key) == 32
        assert Switchboard(*args).audit_key != found.audit_key

    async def test_outcomes_are_numbered_from_where_they_were_judged(self, board: Station) -> None:
        desk = await board.desk()
        assert desk.settled(desk.view, RangeSet.of([5, 7])) == RangeSet.of([0, 1])
        assert desk.settled(desk.view, RangeSet.of([6])) == RangeSet.of([2])

    async def test_an_older_reading_does_not_open_a_lane_that_is_paused(
        self, board: Station
    ) -> None:
        """Two readings may overtake each other."""
        desk, old = await board.desk(), await view_of(board)
        await board.registry.lanes.pause(board.exchange.key, "inspection", ADMIN)
        desk.refreshed(await view_of(board))
        desk.refreshed(old)
        assert desk.view.lane.state is LaneState.PAUSED
        assert desk.view.source.gate == old.source.gate + 1

    async def test_an_older_reading_does_not_thaw_a_client(self, board: Station) -> None:
        desk, old = await board.desk(), await view_of(board)
        await board.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        desk.refreshed(await view_of(board))
        desk.refreshed(old)
        assert desk.view.source_stopped == "inspection"


class TestSessions:
    async def test_a_living_session_is_found_and_no_other(self, wired: Station) -> None:
        board = wired.board
        assert board.session(HANGZHOU) is wired.left.session
        assert board.clients_of(HANGZHOU) is board.chain_clients[HANGZHOU]
        wired.left.session.end(ShuttingDown())
        with pytest.raises(AdapterOffline):
            board.session(HANGZHOU)

    async def test_where_nobody_is_attached_nobody_is_found(self, board: Station) -> None:
        with pytest.raises(AdapterOffline):
            board.board.session(SUZHOU)
        with pytest.raises(AdapterOffline):
            board.board.clients_of(SUZHOU)


class TestRefresh:
    async def test_it_tells_whether_the_client_is_frozen_with_a_keeper_and_without(
        self, board: Station
    ) -> None:
        assert not await board.board.refresh(HANGZHOU)
        await board.keeper(HANGZHOU)
        assert not await board.board.refresh(HANGZHOU)
        for peer in (HANGZHOU, SUZHOU):
            await board.registry.clients.freeze(peer, "inspection", None, ADMIN)
            assert await board.board.refresh(peer)


class TestKeepers:
    async def test_there_is_one_for_each_peer_also_when_two_ask_at_once(
        self, board: Station
    ) -> None:
        first, second = await asyncio.gather(
            board.board.keeper(HANGZHOU), board.board.keeper(HANGZHOU)
        )
        assert first is second

    async def test_of_an_unknown_peer_nothing_is_kept(self, board: Station) -> None:
        with pytest.raises(ClientNotFound):
            await board.board.keeper(PeerId("wuxi"))
        assert board.board._keepers == {}

    async def test_a_hint_reads_again_only_what_is_known(self, board: Station) -> None:
        await board.board.refresh(HANGZHOU)
        assert board.board._keepers == {}
        keeper = await board.board.keeper(HANGZHOU)
        await board.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        assert not keeper.hub_client.is_frozen
        await board.board.refresh(HANGZHOU)
        assert keeper.hub_client.is_frozen


async def test_what_is_forgotten_is_read_anew(board: Station) -> None:
    desk = await board.desk()
    keeper = await board.board.keeper(HANGZHOU)
    board.board.forget()
    assert await board.desk() is not desk
    assert await board.board.keeper(HANGZHOU) is not keeper


async def test_what_the_process_changes_by_itself_is_changed_in_its_name(board: Station) -> None:
    assert board.board.caller.identity == "relayers/east-1"
