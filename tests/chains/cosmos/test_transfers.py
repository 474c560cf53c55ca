"""Two live Cosmos chains of four validators each exchange packets through the hub.

Whatever dies or changes meanwhile, every packet ends, and the chains' own books balance.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from hub.cli.dev.layout import RELAYER
from tests.chains.cosmos import ledger
from tests.chains.cosmos.cities import EAST, WEST, Cities, running
from tests.chains.cosmos.city import TOKEN
from tests.chains.cosmos.options import ChainOptions
from tests.chains.cosmos.staking import set_powers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.core.lane import LaneKey

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

BEFORE: Final = (100, 100, 10, 10)
AFTER: Final = (0, 0, 10, 30)
"""What is left of ``BEFORE`` has less than a third of its power."""
LOAD: Final = 500
"""Transfers each way."""
LATE: Final = 20
SHORT_S: Final = 8


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cities() -> AsyncIterator[Cities]:
    options = ChainOptions(powers=BEFORE)
    async with running({WEST: options, EAST: options}) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lane(cities: Cities) -> LaneKey:
    return await cities.open_lane()


async def test_transfers_each_way_are_acknowledged_and_conserve_the_supply(
    cities: Cities, lane: LaneKey
) -> None:
    ended = await cities.completed()
    await asyncio.gather(cities.transfer(lane, LOAD), cities.transfer(lane.reverse, LOAD))
    await cities.ended(ended + 2 * LOAD)
    await cities.conserved(lane)
    for key in (lane, lane.reverse):
        assert await cities.received(key) == LOAD
        assert await cities.standing(key) == set()


async def test_what_the_other_chain_did_not_get_in_time_is_refunded_by_proven_absence(
    cities: Cities, lane: LaneKey
) -> None:
    received, ended = await cities.received(lane), await cities.completed()
    held = await cities.user(WEST).balance(TOKEN)
    await cities.stop(EAST)
    await cities.transfer(lane, LATE, timeout_s=SHORT_S)
    assert await cities.user(WEST).balance(TOKEN) == held - LATE
    await asyncio.sleep(SHORT_S)
    cities.launch(EAST)
    await cities.ended(ended + LATE)
    assert await cities.user(WEST).balance(TOKEN) == held
    assert await cities.received(lane) == received
    assert len(await cities.packets(lane, "refunded")) == LATE
    await cities.conserved(lane)


async def test_a_change_of_more_than_a_third_of_the_power_is_followed_by_bisection(
    cities: Cities, lane: LaneKey
) -> None:
    ended, chain = await cities.completed(), cities.cities[EAST].chain
    await cities.stop(EAST)
    known = (await cities.verified_heights(EAST))[-1]
    changed = await set_powers(chain, AFTER)
    assert known < changed - 1, "the change comes after what the hub knows"
    await chain.wait_height(changed + 5)
    cities.launch(EAST)
    await asyncio.gather(cities.transfer(lane, LATE), cities.transfer(lane.reverse, LATE))
    await cities.ended(ended + 2 * LATE)
    # Nobody who trusts a header before it believes one that the new set signed.
    assert changed - 1 in await cities.verified_heights(EAST)
    there = await ledger.consensus_heights(cities.cities[WEST].chain, lane.source_client)
    assert changed - 1 in there
    await cities.conserved(lane)


async def test_killed_processes_cost_no_packet_and_none_has_its_effect_twice(
    cities: Cities, lane: LaneKey
) -> None:
    ended, chain = await cities.completed(), cities.cities[WEST].chain
    received = {key: await cities.received(key) for key in (lane, lane.reverse)}
    await cities.kill(RELAYER)
    await asyncio.gather(cities.transfer(lane, LOAD), cities.transfer(lane.reverse, LOAD))
    await cities.revive(RELAYER)
    for name in (WEST, EAST, RELAYER):
        await cities.goes_on()
        await cities.kill(name)
        await cities.revive(name)
        # However fast the others end, these are under way.
        await asyncio.gather(cities.transfer(lane, LATE), cities.transfer(lane.reverse, LATE))
    # Its node is the only one that the adapter knows, and has almost half of the power.
    chain.kill(0)
    sent = LOAD + 3 * LATE
    assert await cities.completed() < ended + 2 * sent
    chain.restart(0)
    await cities.ended(ended + 2 * sent)
    await cities.conserved(lane)
    for key, before in received.items():
        assert await cities.received(key) == before + sent
        assert await cities.standing(key) == set()
