"""Two live Cosmos chains exchange packets through the hub."""

from __future__ import annotations

from tests.chains.cosmos.cities import running, EAST, WEST
from tests.chains.cosmos.options import ChainOptions


async def test_transfers_each_way_are_acknowledged_and_conserve_the_supply() -> None:
    options = {WEST: ChainOptions(), EAST: ChainOptions()}
    async with running(options) as cities:
        lane = await cities.open_lane()
        await cities.transfer(lane, 20)
        await cities.transfer(lane.reverse, 20)
        await cities.ended(40)
        await cities.conserved(lane)
