"""A client that starts again from a later anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simchain.misbehave import equivocate
from hub.core.errors import ClientPending, ConsensusStateDiffers, ConsensusStateMissing
from hub.core.height import Height
from tests.harness.exchange import ADMIN, HANGZHOU
from tests.harness.simchain import LIGHT_CLIENT

if TYPE_CHECKING:
    from hub.core.client import Header
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
