from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.misbehave import Forgery, equivocate, forge_header
from hub.core.errors import (
    AdapterOffline,
    AnchorMismatch,
    ChainUnreachable,
    ClientFrozen,
    ClientPending,
    ConsensusStateDiffers,
    ConsensusStateMissing,
    FrameInvalid,
    HeaderFromFuture,
    HubError,
    LeaseLost,
    Reason,
    TrustExpired,
    VerificationFailed,
)
from hub.core.height import Height
from hub.core.ids import PeerId
from hub.core.lane import Side
from hub.core.time import SECOND, Duration
from hub.wire.frames import headers_to_proto
from tests.harness.clock import settle
from tests.harness.exchange import ADMIN, ANCHOR_HEIGHT, HANGZHOU, SUZHOU
from tests.harness.simchain import LIGHT_CLIENT, TRUST
from tests.harness.station import NOW, Station

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.client import Header, HubClient


def header(board: Station, height: int) -> Header:
    return board.left.chain.light_block(height).header


def stored(board: Station) -> set[int]:
    """Heights of the left's headers in the registry."""
    return set(board.registry.state.headers[HANGZHOU])


def forget(board: Station, *heights: int) -> None:
    """The hub has never seen these headers."""
    for height in heights:
        del board.registry.state.headers[HANGZHOU][height]


def answering(*headers: Header) -> Callable[[pb.Request], pb.Answer | None]:
    """An adapter that answers every request for headers with these."""

    def answer(request: pb.Request) -> pb.Answer | None:
        is_it = request.WhichOneof("body") == "headers"
        return pb.Answer(headers=headers_to_proto(headers)) if is_it else None

    return answer


class TestAnchor:
    async def pending(self, board: Station) -> Station:
        """The hub has no header of the left's chain yet."""
        board.registry.state.headers[HANGZHOU].clear()
        return await board.wire()

    async def test_the_first_header_is_exactly_the_one_that_the_anchor_names(
        self, board: Station
    ) -> None:
        await self.pending(board)
        keeper = await board.keeper(HANGZHOU)
        with pytest.raises(AnchorMismatch):
            await keeper.add([equivocate(board.left.chain, ANCHOR_HEIGHT).header])
        assert keeper.latest is None
        assert await keeper.add([header(board, ANCHOR_HEIGHT)]) == [ANCHOR_HEIGHT]
        assert stored(board) == {ANCHOR_HEIGHT}

    async def test_where_another_header_comes_first_the_adapter_is_asked_for_it(
        self, board: Station
    ) -> None:
        await self.pending(board)
        keeper = await board.keeper(HANGZHOU)
        other = header(board, ANCHOR_HEIGHT + 1)
        board.left.answers = answering(other)
        with pytest.raises(AnchorMismatch):
            await keeper.add([other])
        assert stored(board) == set()
        board.left.answers = lambda _: None
        assert await keeper.add([other]) == [ANCHOR_HEIGHT + 1]
        assert stored(board) == {ANCHOR_HEIGHT, ANCHOR_HEIGHT + 1}

    async def test_before_it_nothing_may_be_built_on(self, board: Station) -> None:
        await self.pending(board)
        keeper = await board.keeper(HANGZHOU)
        with pytest.raises(ClientPending) as caught:
            keeper.latest_verified()
        assert caught.value.height == ANCHOR_HEIGHT
        assert keeper.expires_at == 0

    async def test_below_it_only_the_parent_of_a_verified_header_is_taken(
        self, wired: Station
    ) -> None:
        keeper, below = await wired.keeper(HANGZHOU), ANCHOR_HEIGHT - 1
        with pytest.raises(ConsensusStateMissing):
            await keeper.add([equivocate(wired.left.chain, below).header])
        assert await keeper.add([header(wired, below)]) == [below]


class TestUpdates:
    async def test_a_new_header_is_verified_and_stored_and_again_nothing_is_done(
        self, wired: Station
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        wired.exchange.grow(1)
        newest = wired.left.chain.height
        for _ in range(2):
            assert await keeper.add([header(wired, newest)]) == [newest]
        assert keeper.latest == LIGHT_CLIENT.read_header(header(wired, newest))
        assert newest in stored(wired)

    async def test_what_changes_while_a_header_is_verified_counts(
        self, wired: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        wired.exchange.grow(1)
        newest, before = header(wired, wired.left.chain.height), keeper.hub_client
        short = replace(before.anchor.options, trusting_period=Duration(1))
        anew = replace(before, anchor=replace(before.anchor, options=short))
        frozen = replace(before, is_frozen=True, frozen_cause="two truths")
        genuine = keeper._run

        for meanwhile, error in ((anew, TrustExpired), (frozen, ClientFrozen)):

            async def run(function: Any, *arguments: Any, now: HubClient = meanwhile) -> Any:
                found = await genuine(function, *arguments)
                keeper.hub_client = now
                return found

            keeper.hub_client = before
            monkeypatch.setattr(keeper, "_run", run)
            with pytest.raises(error):
                await keeper.add([newest])
        assert wired.left.chain.height not in stored(wired)

    async def test_a_client_far_behind_is_led_over_changes_of_more_than_a_third(
        self, wired: Station
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        before = wired.left.chain.height
        wired.exchange.grow(80)
        newest = wired.left.chain.height
        assert await keeper.add([header(wired, newest)]) == [newest]
        asked = [number for one in wired.left.requests for number in one.headers.heights]
        assert 3 <= len(asked) < 12
        # One that carried the next set alone may be asked for and not kept.
        between = {height for height in stored(wired) if height > before}
        assert between <= {*asked, newest}
        for height in between:
            assert await keeper.state(height) == LIGHT_CLIENT.read_header(header(wired, height))

    async def test_a_bisection_without_answers_stores_nothing(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        before = stored(wired)
        wired.exchange.grow(80)
        wired.left.answers = lambda _: pb.Answer(refusal=pb.Refusal(reason="HEADER_NOT_FOUND"))
        with pytest.raises(ChainUnreachable):
            await keeper.add([header(wired, wired.left.chain.height)])
        assert stored(wired) == before

    async def test_a_bisection_that_is_cut_off_goes_on_where_it_was(self, wired: Station) -> None:
        keeper, chain = await wired.keeper(HANGZHOU), wired.left.chain
        before = chain.height
        wired.exchange.grow(80)
        asked: list[int] = []

        def answer(request: pb.Request) -> pb.Answer | None:
            asked.extend(request.headers.heights)
            refused = pb.Answer(refusal=pb.Refusal(reason="CHAIN_UNREACHABLE"))
            return refused if len(asked) > 4 else None

        wired.left.answers = answer
        with pytest.raises(ChainUnreachable):
            await keeper.add([header(wired, chain.height)])
        kept = [height for height in stored(wired) if height > before]
        assert kept
        assert keeper.latest is not None
        assert keeper.latest.height.number == max(kept)
        wired.left.answers = lambda _: None
        wired.left.requests.clear()
        assert await keeper.add([header(wired, chain.height)]) == [chain.height]
        again = [number for one in wired.left.requests for number in one.headers.heights]
        assert min(again, default=chain.height) > max(kept)

    async def test_a_bisection_answered_with_another_height_stores_nothing(
        self, wired: Station
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        before = stored(wired)
        wired.exchange.grow(80)
        wired.left.answers = answering(header(wired, 20))
        with pytest.raises(HubError):
            await keeper.add([header(wired, wired.left.chain.height)])
        assert stored(wired) == before

    async def test_a_header_that_a_verified_one_names_as_its_parent_needs_no_signature(
        self, wired: Station
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        await wired.clock.advance(TRUST.trusting_period)
        forget(wired, 5)
        assert await keeper.add([header(wired, 5)]) == [5]
        assert wired.left.requests == []
        assert 5 in stored(wired)

    async def test_an_older_header_is_verified_from_the_one_below(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        forget(wired, 4, 5, 6)
        assert await keeper.add([header(wired, 4)]) == [4]
        assert await keeper.add([header(wired, 5)]) == [5]

    @pytest.mark.parametrize("forgery", list(Forgery))
    async def test_a_forged_header_is_refused_and_nothing_changes(
        self, wired: Station, forgery: Forgery
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        wired.exchange.grow(1)
        newest, before = wired.left.chain.height, stored(wired)
        forged = forge_header(wired.left.chain, newest, forgery).header
        with pytest.raises(VerificationFailed):
            await keeper.add([forged])
        assert stored(wired) == before
        assert not keeper.hub_client.is_frozen
        assert await keeper.add([header(wired, newest)]) == [newest]

    @pytest.mark.parametrize("forgery", list(Forgery))
    async def test_a_forgery_beside_a_stored_header_freezes_nobody(
        self, wired: Station, forgery: Forgery
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        forged = forge_header(wired.left.chain, wired.left.chain.height, forgery).header
        with pytest.raises(VerificationFailed):
            await keeper.add([forged])
        assert not keeper.hub_client.is_frozen
        assert await wired.registry.clients.evidence(HANGZHOU) == []

    async def test_a_header_from_the_future_is_refused(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        ahead = (NOW - wired.exchange.path.now) // SECOND + TRUST.max_clock_drift // SECOND
        wired.exchange.path.advance(ahead + 1)
        with pytest.raises(HeaderFromFuture):
            await keeper.add([header(wired, wired.left.chain.height)])

    async def test_bytes_that_are_no_header_are_refused(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        genuine = header(wired, 5)
        for content in (b"", b"\xff" * 100, genuine.content[:-1], genuine.content * 2):
            with pytest.raises(HubError):
                await keeper.add([replace(genuine, content=content)])

    async def test_only_who_holds_the_lease_adds_headers(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        wired.exchange.grow(1)
        await wired.registry.leases.acquire(HANGZHOU, "east-1", Duration(SECOND))
        with pytest.raises(LeaseLost):
            await keeper.add([header(wired, wired.left.chain.height)])
        keeper.detach(wired.left.session)
        with pytest.raises(AdapterOffline):
            await keeper.add([header(wired, wired.left.chain.height)])


class TestMisbehaviour:
    async def test_a_second_header_at_a_height_freezes_the_client_and_both_are_kept(
        self, wired: Station
    ) -> None:
        keeper, chain = await wired.keeper(HANGZHOU), wired.left.chain
        other = equivocate(chain, chain.height).header
        with pytest.raises(ConsensusStateDiffers) as caught:
            await keeper.add([other])
        assert caught.value.height == chain.height
        assert keeper.hub_client.is_frozen
        [evidence] = await wired.registry.clients.evidence(HANGZHOU)
        assert evidence.reason is Reason.CONSENSUS_STATE_DIFFERS
        kept = [client_pb2.Header.FromString(one) for one in (evidence.first, evidence.second)]
        assert [one.content for one in kept] == [
            header(wired, chain.height).content,
            other.content,
        ]

    async def test_the_freeze_stops_its_lanes_in_its_own_transaction_and_no_others(
        self, wired: Station
    ) -> None:
        keeper, chain = await wired.keeper(HANGZHOU), wired.left.chain
        gates = [
            {side: row.gate for side, row in lane.sides.items()}
            for lane in wired.registry.state.lanes.values()
        ]
        with pytest.raises(ConsensusStateDiffers):
            await keeper.add([equivocate(chain, chain.height).header])
        out, back = wired.registry.state.lanes.values()
        assert out.sides[Side.SOURCE].stopped
        assert back.sides[Side.DESTINATION].stopped
        assert out.sides[Side.SOURCE].gate == gates[0][Side.SOURCE] + 1
        assert back.sides[Side.DESTINATION].gate == gates[1][Side.DESTINATION] + 1
        assert not out.sides[Side.DESTINATION].stopped
        suzhou = await wired.keeper(SUZHOU)
        wired.exchange.grow(1)
        assert await suzhou.add([wired.right.chain.light_block(9).header])

    async def test_a_header_that_its_verified_child_does_not_name_is_misbehaviour(
        self, wired: Station
    ) -> None:
        """The hub never saw the true header at that height; the one above it tells."""
        keeper = await wired.keeper(HANGZHOU)
        forget(wired, 5)
        with pytest.raises(ConsensusStateDiffers):
            await keeper.add([equivocate(wired.left.chain, 5).header])
        [evidence] = await wired.registry.clients.evidence(HANGZHOU)
        kept = client_pb2.Header.FromString(evidence.first)
        assert kept.content == header(wired, 6).content
        assert 5 not in stored(wired)

    async def test_once_frozen_no_header_is_taken_and_no_root_is_built_on(
        self, wired: Station
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        await wired.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        wired.exchange.grow(1)
        await keeper.refresh()
        with pytest.raises(ClientFrozen):
            await keeper.add([header(wired, wired.left.chain.height)])
        with pytest.raises(ClientFrozen):
            await keeper.root_at(Height(1, 5))
        with pytest.raises(ClientFrozen) as caught:
            keeper.latest_verified()
        assert caught.value.cause == "inspection"

    async def test_a_freeze_that_nobody_told_of_is_found_when_a_header_is_stored(
        self, wired: Station
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        await wired.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        wired.exchange.grow(1)
        with pytest.raises(ClientFrozen):
            await keeper.add([header(wired, wired.left.chain.height)])


class TestRoots:
    async def test_a_root_is_of_exactly_the_height_that_is_named(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        assert (await keeper.root_at(Height(1, 5))).root
        for height in (Height(2, 5), Height(1, 500), Height(0, 5)):
            with pytest.raises(ConsensusStateMissing):
                await keeper.root_at(height)

    async def test_an_expired_client_shows_nothing_any_more(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        left = keeper.expires_at - wired.clock.now()
        await wired.clock.advance(Duration(left - 1))
        await keeper.root_at(Height(1, 5))
        await wired.clock.advance(Duration(1))
        with pytest.raises(TrustExpired):
            await keeper.root_at(Height(1, 5))
        with pytest.raises(TrustExpired):
            keeper.latest_verified()

    async def test_a_header_that_is_missing_is_asked_for_and_verified(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        forget(wired, 5)
        assert await keeper.header(5) == header(wired, 5)
        assert 5 in stored(wired)
        wired.left.requests.clear()
        assert await keeper.header(5) == header(wired, 5)
        assert wired.left.requests == []

    @pytest.mark.parametrize("heights", [(), (4,), (5, 6)])
    async def test_another_header_than_was_asked_for_is_none(
        self, wired: Station, heights: tuple[int, ...]
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        forget(wired, 5)
        wired.left.answers = answering(*[header(wired, height) for height in heights])
        with pytest.raises(FrameInvalid):
            await keeper.header(5)
        with pytest.raises(FrameInvalid):
            await keeper.claimed(5)

    async def test_a_claimed_header_is_read_and_not_stored(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        found, state = await keeper.claimed(1)
        assert found == header(wired, 1)
        assert state == LIGHT_CLIENT.read_header(found)
        assert await keeper.claimed_state(1) == state
        assert 1 not in stored(wired)

    async def test_the_state_of_a_stored_header_is_read_once(
        self, wired: Station, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keeper = await wired.keeper(HANGZHOU)
        state = await keeper.claimed_state(5)
        assert state == await keeper.state(5)
        monkeypatch.setattr(wired.registry, "clients", None)
        assert await keeper.claimed_state(5) == state
        assert wired.left.requests == []

    async def test_the_next_set_is_known_from_the_sets_or_the_next_header(
        self, wired: Station
    ) -> None:
        keeper, chain = await wired.keeper(HANGZHOU), wired.left.chain
        for height in (5, 6):  # the set changes with block 7
            validators = await keeper.validators_after(await keeper.state(height))
            assert validators == chain.config.schedule.at(height + 1).content
        assert wired.left.requests == []

    async def test_what_others_stored_counts_after_a_refresh(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        wired.exchange.grow(1)
        await wired.exchange.show(HANGZHOU, [wired.left.chain.height])
        await keeper.refresh()
        assert keeper.latest is not None
        assert keeper.latest.height.number == wired.left.chain.height

    async def test_an_unknown_peer_has_no_keeper(self, wired: Station) -> None:
        with pytest.raises(HubError):
            await wired.keeper(PeerId("nowhere"))


async def test_two_who_add_at_once_wait_for_each_other(wired: Station) -> None:
    keeper = await wired.keeper(HANGZHOU)
    wired.exchange.grow(40)
    newest = wired.left.chain.height
    first, second = await asyncio.gather(
        keeper.add([header(wired, newest)]), keeper.add([header(wired, newest - 1)])
    )
    assert (first, second) == ([newest], [newest - 1])


async def test_an_older_reading_does_not_thaw_the_client(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, clients = await wired.keeper(HANGZHOU), wired.registry.clients
    read, goes_on = clients.hub_client, asyncio.Event()

    async def slow(peer: PeerId) -> HubClient:
        found = await read(peer)
        await goes_on.wait()
        return found

    monkeypatch.setattr(clients, "hub_client", slow)
    older = asyncio.ensure_future(keeper.refresh())
    await settle()
    monkeypatch.undo()
    await clients.freeze(HANGZHOU, "inspection", None, ADMIN)
    newer = asyncio.ensure_future(keeper.refresh())
    await settle()
    goes_on.set()
    await asyncio.gather(older, newer)
    assert keeper.hub_client.is_frozen
