"""A client that starts again from a later anchor."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.simchain.misbehave import equivocate
from hub.core.errors import (
    AnswerOverdue,
    ClientPending,
    ConsensusStateDiffers,
    ConsensusStateMissing,
)
from hub.core.height import Height
from hub.core.time import Duration
from relayer.headers import BISECTION_WITHIN
from tests.harness.exchange import ADMIN, HANGZHOU
from tests.harness.simchain import LIGHT_CLIENT

if TYPE_CHECKING:
    from hub.core.client import Header, VerifiedHeader
    from relayer.bisection import Bisection
    from relayer.headers import HeaderKeeper
    from tests.harness.station import Station


def header(board: Station, height: int) -> Header:
    return board.left.chain.light_block(height).header


def stored(board: Station) -> set[int]:
    """Heights of the left's headers in the registry."""
    return set(board.registry.state.headers[HANGZHOU])


class TestRecovery:
    async def recovered(self, wired: Station, height: int) -> HeaderKeeper:
        """Frozen at the newest height, started again from *height*; the keeper knows it."""
        keeper, chain = await wired.keeper(HANGZHOU), wired.left.chain
        with pytest.raises(ConsensusStateDiffers):
            await keeper.add([equivocate(chain, chain.height).header])
        while chain.height < height:
            wired.exchange.grow(1)
        anchor, now = wired.exchange.anchor(HANGZHOU, height), wired.clock.now()
        await wired.registry.clients.recover(HANGZHOU, anchor, now, "mended", ADMIN)
        await keeper.refresh()
        return keeper

    async def test_a_client_that_starts_again_waits_for_its_new_anchor(
        self, wired: Station
    ) -> None:
        before = wired.left.chain.height
        keeper = await self.recovered(wired, before + 3)
        assert keeper.waits
        assert keeper.latest is None
        with pytest.raises(ClientPending):
            keeper.latest_verified()
        await keeper.begin()
        await keeper.begin()
        assert keeper.latest == LIGHT_CLIENT.read_header(header(wired, before + 3))
        assert not keeper.waits
        [asked] = [one for one in wired.left.requests if one.WhichOneof("body") == "headers"]
        assert list(asked.headers.heights) == [before + 3]

    async def test_what_was_verified_before_counts_no_more_and_is_kept(
        self, wired: Station
    ) -> None:
        before = wired.left.chain.height
        keeper = await self.recovered(wired, before + 3)
        await keeper.begin()
        with pytest.raises(ConsensusStateMissing):
            await keeper.root_at(Height(1, before))
        assert before in stored(wired)
        assert (await keeper.state(before)).height.number == before

    async def test_nothing_is_built_on_what_was_verified_before(self, wired: Station) -> None:
        before = wired.left.chain.height
        keeper = await self.recovered(wired, before + 3)
        await keeper.begin()
        forged = equivocate(wired.left.chain, before + 1).header
        with pytest.raises(ConsensusStateMissing):
            await keeper.add([forged])
        assert not keeper.hub_client.is_frozen
        parent = header(wired, before + 2)
        assert await keeper.add([parent]) == [before + 2]

    async def test_other_clients_are_led_over_the_gap_by_headers_that_they_judge(
        self, wired: Station
    ) -> None:
        before = wired.left.chain.height
        keeper = await self.recovered(wired, before + 3)
        await keeper.begin()
        found, state = await keeper.shown(before + 1)
        assert found == header(wired, before + 1)
        assert state.height.number == before + 1
        assert before + 1 not in stored(wired)
        verified, _ = await keeper.shown(before + 3)
        assert verified == header(wired, before + 3)

    async def test_a_frozen_client_begins_nothing(self, wired: Station) -> None:
        keeper = await wired.keeper(HANGZHOU)
        await wired.registry.clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        await keeper.refresh()
        await keeper.begin()
        assert wired.left.requests == []


class Interrupted:
    """The client starts again while a bisection waits for the adapter, which then goes on."""

    def __init__(self, wired: Station, keeper: HeaderKeeper) -> None:
        self.wired, self.keeper = wired, keeper
        self.before = stored(wired)
        wired.exchange.grow(80)

    @property
    def newest(self) -> int:
        return self.wired.left.chain.height

    async def recover(self, height: int) -> None:
        """An administrator freezes the client, and it starts again from *height*."""
        clients, anchor = self.wired.registry.clients, self.wired.exchange.anchor(HANGZHOU, height)
        await clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        await clients.recover(HANGZHOU, anchor, self.wired.clock.now(), "mended", ADMIN)

    async def add(self, shown: int, anchor: int, *, is_told: bool) -> None:
        """*shown* comes; at the second header that is asked for, the client has *anchor* instead.

        The keeper hears of it at once, or not before the bisection is over.
        """
        genuine, asked = self.keeper._fetch, 0

        async def fetch(height: int) -> Header:
            nonlocal asked
            asked += 1
            if asked == 2:
                await self.recover(anchor)
                if is_told:
                    await self.keeper.refresh()
            return await genuine(height)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.keeper, "_fetch", fetch)
            with pytest.raises(ClientPending) as caught:
                await self.keeper.add([header(self.wired, shown)])
        assert asked > 2, "the adapter goes on"
        if is_told:
            assert caught.value.height == anchor
        await self.keeper.refresh()


@pytest.mark.parametrize("is_told", [True, False])
class TestInFlight:
    """What the old validators signed comes to its end after the client has started again."""

    async def test_a_header_above_the_new_anchor_is_not_stored(
        self, wired: Station, *, is_told: bool
    ) -> None:
        flight = Interrupted(wired, await wired.keeper(HANGZHOU))
        anchor = flight.newest - 30
        await flight.add(flight.newest, anchor, is_told=is_told)
        assert stored(wired) == flight.before
        await self.begins(wired, flight.keeper, anchor)

    async def test_a_header_below_the_new_anchor_is_not_believed(
        self, wired: Station, *, is_told: bool
    ) -> None:
        flight = Interrupted(wired, await wired.keeper(HANGZHOU))
        anchor = flight.newest
        await flight.add(anchor - 5, anchor, is_told=is_told)
        assert stored(wired) == flight.before
        await self.begins(wired, flight.keeper, anchor)

    async def test_what_failed_on_its_way_keeps_nothing(
        self, wired: Station, *, is_told: bool
    ) -> None:
        flight = Interrupted(wired, await wired.keeper(HANGZHOU))
        keeper, anchor, asked = flight.keeper, flight.newest - 1, 0
        genuine = keeper._fetch

        async def fetch(height: int) -> Header:
            nonlocal asked
            asked += 1
            if asked == 5:  # some are verified by now
                await flight.recover(anchor)
                if is_told:
                    await keeper.refresh()
                raise AnswerOverdue(what="headers", waited_ms=15_000)
            return await genuine(height)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keeper, "_fetch", fetch)
            with pytest.raises(AnswerOverdue if is_told else ClientPending):
                await keeper.add([header(wired, flight.newest)])
        assert stored(wired) == flight.before
        await keeper.refresh()
        await self.begins(wired, keeper, anchor)

    async def begins(self, wired: Station, keeper: HeaderKeeper, anchor: int) -> None:
        """The client waits for its new anchor's header, and begins there; so it does anew."""
        assert keeper.waits
        await keeper.begin()
        assert keeper.latest == LIGHT_CLIENT.read_header(header(wired, anchor))
        client = await wired.registry.clients.hub_client(HANGZHOU)
        assert client.latest == keeper.latest


async def test_a_header_that_is_stored_just_before_a_recovery_is_not_believed_after_it(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, clients = await wired.keeper(HANGZHOU), wired.registry.clients
    wired.exchange.grow(3)
    genuine, newest = clients.add_headers, wired.left.chain.height

    async def slow(*given: object) -> None:
        await genuine(*given)  # type: ignore[arg-type]  # passed on
        await clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        anchor = wired.exchange.anchor(HANGZHOU, newest)
        await clients.recover(HANGZHOU, anchor, wired.clock.now(), "mended", ADMIN)
        await keeper.refresh()

    with monkeypatch.context() as patch:
        patch.setattr(clients, "add_headers", slow)
        with pytest.raises(ClientPending):
            await keeper.add([header(wired, newest - 1)])
    assert newest - 1 in stored(wired)
    assert keeper.waits
    with pytest.raises(ConsensusStateMissing):
        await keeper.standing_below(newest)
    await keeper.begin()
    assert keeper.latest == LIGHT_CLIENT.read_header(header(wired, newest))


async def test_what_contradicts_under_the_old_anchor_does_not_freeze_the_recovered_client(
    wired: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, clients = await wired.keeper(HANGZHOU), wired.registry.clients
    wired.exchange.grow(3)
    height = wired.left.chain.height - 1
    await keeper.add([header(wired, height)])
    genuine = keeper._prove

    async def slow(way: Bisection) -> list[VerifiedHeader]:
        verified = await genuine(way)
        await clients.freeze(HANGZHOU, "inspection", None, ADMIN)
        anchor = wired.exchange.anchor(HANGZHOU, height + 1)
        await clients.recover(HANGZHOU, anchor, wired.clock.now(), "mended", ADMIN)
        return verified

    with monkeypatch.context() as patch:
        patch.setattr(keeper, "_prove", slow)
        with pytest.raises(ClientPending):
            await keeper.add([equivocate(wired.left.chain, height).header])
    assert not (await clients.hub_client(HANGZHOU)).is_frozen
    assert await clients.evidence(HANGZHOU) == []


async def test_the_newest_state_counts_from_the_anchor_on_only(wired: Station) -> None:
    keeper, newest = await wired.keeper(HANGZHOU), wired.left.chain.height
    wired.exchange.grow(3)
    anchor = wired.exchange.anchor(HANGZHOU, newest + 3)
    assert (await keeper.standing_below(newest + 2)).height.number == newest
    keeper.hub_client = replace(keeper.hub_client, anchor=anchor)
    with pytest.raises(ConsensusStateMissing):
        await keeper.standing_below(newest + 2)


async def test_a_bisection_asks_for_two_minutes_and_the_next_one_goes_on(wired: Station) -> None:
    keeper, before = await wired.keeper(HANGZHOU), stored(wired)
    wired.exchange.grow(80)
    newest, asked = wired.left.chain.height, 0
    genuine = keeper._fetch

    async def fetch(height: int) -> Header:
        nonlocal asked
        asked += 1
        await wired.clock.advance(Duration(BISECTION_WITHIN // 4))
        return await genuine(height)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper, "_fetch", fetch)
        with pytest.raises(AnswerOverdue):
            await keeper.add([header(wired, newest)])
        assert asked == 4
        assert len(stored(wired)) > len(before)
        for _ in range(3):
            if newest not in stored(wired):
                with suppress(AnswerOverdue):
                    await keeper.add([header(wired, newest)])
    assert newest in stored(wired)
