"""Nodes that lie, lag, forget, are slow or gone, and transactions that do not go as they should.

Two live chains, each seen by its adapter through a proxy. While it lasts, trouble is told with its
type; once it is over, every packet ends, and none had its effect twice.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import ANY

import pytest
import pytest_asyncio

from adapters.cosmos.tx.keys import read_keys
from hub.cli.dev.layout import HUB, RELAYER
from tests.chains.cosmos.cities import EAST, WEST, Cities, running
from tests.chains.cosmos.genesis import PREFIX
from tests.chains.cosmos.logs import LogWatch
from tests.chains.cosmos.options import STAKE, ChainOptions
from tests.chains.cosmos.user import CosmosUser, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from adapters.cosmos.tx.keys import Key
    from hub.core.lane import LaneKey
    from tests.chains.cosmos.city import City

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

LOAD: Final = 10
"""Transfers each way in each test."""
TIMEOUT_BLOCKS: Final = 8
NODE_TIMEOUT_MS: Final = 1_500
LITTLE_GAS: Final = 100_000
"""A packet's message uses more than half of it."""
SETTINGS: Final[dict[str, Any]] = {
    "node_timeout_ms": NODE_TIMEOUT_MS,
    "transactions": {"timeout_blocks": TIMEOUT_BLOCKS},
}
LIES: Final[dict[str, tuple[dict[str, Any], set[str]]]] = {
    "headers with another root": ({"forged": "app_hash"}, {"COMMIT_MISMATCH"}),
    "headers with another root, and a commit that names them": (
        {"forged": "app_hash", "is_recommitted": True},
        {"SIGNATURE_INVALID"},
    ),
    "headers of another time": (
        {"forged": "time", "is_recommitted": True},
        {"SIGNATURE_INVALID", "TIME_NOT_INCREASING"},
    ),
    "altered proofs": (
        {"alters_proofs": True},
        {"PROOF_BATCH_INVALID", "PROOF_SPEC_VIOLATED", "PROOF_UNPARSEABLE", "ROOT_MISMATCH"},
    ),
    "altered values": ({"alters_values": True}, {"RECORD_CORRUPT"}),
    "another chain": ({"chain_id": "wuxi-1"}, {"CHAIN_ID_MISMATCH"}),
    "nothing that can be read": ({"is_garbage": True}, {"CHAIN_UNREACHABLE"}),
    "nothing in time": ({"delay_s": 2}, {"CHAIN_UNREACHABLE"}),
    "blocks long ago": ({"behind": 20}, set()),
    "nothing of what it was given": ({"drops": True}, {"TRANSACTION_LOST"}),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cities() -> AsyncIterator[Cities]:
    options = ChainOptions(block_ms=400)
    async with running({WEST: options, EAST: options}, is_lying=True) as made:
        for peer in made.cities:
            made.write_config(peer, **SETTINGS)
            await made.stop(peer)
            made.launch(peer)
        await made.attached()
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lane(cities: Cities) -> LaneKey:
    return await cities.open_lane()


class Load:
    """Packets each way, and how many of them have ended before."""

    def __init__(self, cities: Cities, lane: LaneKey) -> None:
        self.cities = cities
        self.lane = lane
        self.watch = LogWatch(cities, HUB, RELAYER, *cities.cities)
        self._ended = 0
        self._received: dict[LaneKey, int] = {}

    async def send(self, count: int = LOAD) -> None:
        self._ended = await self.cities.completed() + 2 * count
        for key in (self.lane, self.lane.reverse):
            self._received[key] = await self.cities.received(key) + count
        await asyncio.gather(
            self.cities.transfer(self.lane, count), self.cities.transfer(self.lane.reverse, count)
        )

    async def ends(self, more: int = 0) -> None:
        """Every packet has had its one effect, and both chains' books balance.

        So have *more* on each lane, which were sent by others.
        """
        await self.cities.ended(self._ended + 2 * more)
        await self.cities.conserved(self.lane)
        for key, received in self._received.items():
            assert await self.cities.received(key) == received + more
            assert await self.cities.standing(key) == set()
        assert self.watch.broken == []
        clients = (await self.cities.cli("client", "list", "--output", "json"))["clients"]
        assert {one["status"] for one in clients} == {"CLIENT_STATUS_ACTIVE"}


@pytest.mark.parametrize("told", LIES)
async def test_a_node_that_tells_this_costs_no_packet(
    cities: Cities, lane: LaneKey, told: str
) -> None:
    lies, expected = LIES[told]
    load = Load(cities, lane)
    with lying(cities, **lies):
        await load.send()
        if expected:
            await load.watch.tells_any(*expected)
        else:
            await asyncio.sleep(5)
    await load.ends()


async def test_a_node_that_lags_only_takes_longer(cities: Cities, lane: LaneKey) -> None:
    load = Load(cities, lane)
    with lying(cities, behind=3):
        await load.send()
        await load.ends()


async def test_a_node_that_is_gone_for_a_while_costs_no_packet(
    cities: Cities, lane: LaneKey
) -> None:
    load = Load(cities, lane)
    for city in cities.cities.values():
        await city.liar.down()
    await load.send()
    await load.watch.tells_any("CHAIN_UNREACHABLE")
    for city in cities.cities.values():
        await city.liar.up()
    await load.ends()


async def test_what_one_node_has_pruned_another_one_shows(cities: Cities, lane: LaneKey) -> None:
    load = Load(cities, lane)
    for peer, city in cities.cities.items():
        await cities.stop(peer)
        cities.write_config(peer, **SETTINGS, nodes=[city.node_url, city.chain.rpc_url()])
    await load.send()
    heights = [await city.chain.height() for city in cities.cities.values()]
    with lying(cities, lowest=max(heights) + 1):
        for city in cities.cities.values():
            await city.chain.wait_height(max(heights) + 2)
            cities.launch(city.peer)
        await load.ends()


async def test_what_is_pruned_everywhere_is_told_and_holds_up_nothing_else(
    cities: Cities, lane: LaneKey
) -> None:
    load = Load(cities, lane)
    for peer in cities.cities:
        await cities.stop(peer)
        cities.write_config(peer, **SETTINGS)
    await load.send()
    heights = [await city.chain.height() for city in cities.cities.values()]
    with lying(cities, lowest=max(heights) + 1):
        for city in cities.cities.values():
            await city.chain.wait_height(max(heights) + 2)
            cities.launch(city.peer)
        await load.watch.tells("HEADER_NOT_FOUND")
        later = await cities.completed() + 2
        for key in (lane, lane.reverse):
            await cities.transfer(key, 1)
        await cities.ended(later)
    for peer in cities.cities:
        await cities.stop(peer)
        cities.launch(peer)
    await load.ends(more=1)


async def test_transactions_that_run_out_of_gas_go_again_with_more(
    cities: Cities, lane: LaneKey
) -> None:
    load = Load(cities, lane)
    for peer in cities.cities:
        await cities.stop(peer)
    await load.send()
    with lying(cities, saves_gas=3):
        for peer in cities.cities:
            cities.launch(peer)
        await load.watch.tells_event("gas_too_low")
        await load.ends()


async def test_transactions_that_have_gas_for_one_message_carry_one(
    cities: Cities, lane: LaneKey
) -> None:
    load = Load(cities, lane)
    little = {**SETTINGS["transactions"], "max_gas": LITTLE_GAS}
    for peer in cities.cities:
        await cities.stop(peer)
        cities.write_config(peer, **SETTINGS | {"transactions": little})
        cities.launch(peer)
    await load.send()
    await load.ends()
    for peer in cities.cities:
        await cities.stop(peer)
        cities.write_config(peer, **SETTINGS)
        cities.launch(peer)


async def test_another_program_with_the_same_keys_costs_time_alone(
    cities: Cities, lane: LaneKey
) -> None:
    load = Load(cities, lane)
    others = [
        asyncio.create_task(spend(city, key))
        for city in cities.cities.values()
        for key in read_keys(city.keys_file, PREFIX)
    ]
    await load.send()
    await load.watch.tells_kind("WRONG_SEQUENCE")
    for other in others:
        other.cancel()
    assert await asyncio.gather(*others, return_exceptions=True) == [ANY] * len(others)
    await load.ends()


async def test_a_node_that_forgets_its_mempool_costs_no_packet(
    cities: Cities, lane: LaneKey
) -> None:
    load = Load(cities, lane)
    for peer in cities.cities:
        await cities.stop(peer)
    await load.send()
    before = {peer: city.liar.passed_on for peer, city in cities.cities.items()}
    for peer in cities.cities:
        cities.launch(peer)
    for peer, city in cities.cities.items():
        while city.liar.passed_on == before[peer]:  # noqa: ASYNC110 - a count, no event
            await asyncio.sleep(0.01)
        city.chain.kill(0)
        city.chain.restart(0)
    await load.ends()


async def spend(city: City, key: Key) -> None:
    """*key* pays itself without end, as fast as its node takes it."""
    user = CosmosUser(city.chain, key)
    while True:
        with suppress(Refused):
            await user.send(key.address, STAKE, 1)
        await asyncio.sleep(0.5)


@contextmanager
def lying(cities: Cities, **lies: Any) -> Iterator[None]:
    """Meanwhile the node of each adapter tells *lies*."""
    for city in cities.cities.values():
        city.liar.lie(**lies)
    try:
        yield
    finally:
        for city in cities.cities.values():
            city.liar.be_honest()
