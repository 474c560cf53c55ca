"""Lanes that others began, lanes to a chain of another kind, and a chain that signs two truths.

Two live chains of one validator each, and an embedded chain beside them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
import pytest_asyncio

from adapters.cosmos.rpc.node import CometNode
from adapters.cosmos.rpc.transport import Rpc
from adapters.sdk.clock import SystemClock
from adapters.sdk.submission import Misbehaviour
from hub.cli.dev.layout import HUB, RELAYER
from hub.core.ids import ChainId, PeerId, PortId
from hub.light_clients.cometbft.client_state import decode_client_state
from tests.chains.cosmos import embedded as other_kind
from tests.chains.cosmos import ledger
from tests.chains.cosmos.cities import EAST, WEST, Cities, running
from tests.chains.cosmos.embedded import Embedded, embedded
from tests.chains.cosmos.equivocation import other_truth
from tests.chains.cosmos.logs import LogWatch
from tests.chains.cosmos.options import ChainOptions
from tests.chains.cosmos.other_relayer import OtherRelayer
from tests.chains.cosmos.user import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.core.client import Header
    from hub.core.lane import LaneKey
    from tests.chains.cosmos.city import City

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

SENT: Final = 30
DELIVERED: Final = 10
ACKNOWLEDGED: Final = 5
LATER: Final = 12
SHORT_S: Final = 8
LONG_S: Final = 3_600
OTHER_USER: Final = 3
NOBODYS: Final = PortId("archive")
"""No application of a Cosmos chain here has that port."""
NOBODYS_ROUTE: Final = f"{NOBODYS}~{NOBODYS}"
THIRD: Final = str(other_kind.PEER)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cities() -> AsyncIterator[Cities]:
    options = ChainOptions(block_ms=500)
    async with running({WEST: options, EAST: options}) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def third(cities: Cities) -> AsyncIterator[Embedded]:
    async with embedded(cities) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mixed(cities: Cities, third: Embedded) -> LaneKey:
    assert third.balance(other_kind.ALICE, other_kind.TOKEN) == other_kind.HELD
    return await cities.open_lane("--allow", NOBODYS_ROUTE, source=THIRD, to=WEST)


async def test_a_lane_goes_on_where_another_relayer_left_off(cities: Cities) -> None:
    west, east = cities.cities[WEST], cities.cities[EAST]
    watch = LogWatch(cities, HUB, RELAYER, *cities.cities)
    other = OtherRelayer(west, east, OTHER_USER)
    await other.connect()
    since = (await west.chain.height(), await east.chain.height())
    receiver = east.users[0].address
    await cities.send(cities.user(WEST), other.source.client, receiver, SENT, timeout_s=LONG_S)
    await other.deliver(range(1, DELIVERED + 1), since[0])
    await other.acknowledge(range(1, ACKNOWLEDGED + 1), since)
    lane = await cities.open_lane(
        "--source-client",
        other.source.client,
        "--destination-client",
        other.destination.client,
        "--from-sequence",
        "1",
    )
    assert (lane.source_client, lane.destination_client) == (
        other.source.client,
        other.destination.client,
    )
    await cities.transfer(lane, LATER)
    await asyncio.gather(
        cities.transfer(lane.reverse, LATER), goes_on(other, range(SENT, SENT + LATER), since[0])
    )
    await cities.until(lambda: all_ended(cities, lane), "the end of every packet")
    await cities.ended(SENT + LATER - ACKNOWLEDGED, lane)
    assert await cities.received(lane) == SENT + LATER
    assert await cities.received(lane.reverse) == LATER
    await cities.conserved(lane)
    assert watch.broken == []
    await other.close()


async def test_transfers_between_kinds_of_chains_conserve_the_supply(
    cities: Cities, third: Embedded, mixed: LaneKey
) -> None:
    ended, west = await cities.completed(mixed, mixed.reverse), cities.cities[WEST]
    receiver = west.users[0].address
    await third.send(mixed, [third.payload(receiver)], count=LATER)
    sender, back = cities.user(WEST), mixed.destination_client
    await cities.send(sender, back, other_kind.ALICE, LATER, timeout_s=LONG_S)
    await cities.ended(ended + 2 * LATER, mixed, mixed.reverse)
    minted = ledger.voucher(mixed.destination_client, other_kind.TOKEN)
    assert (await ledger.balances(west.chain, receiver))[minted] == LATER
    assert third.balance(other_kind.ALICE, other_kind.TOKEN) == other_kind.HELD - LATER
    escrow = ledger.escrow(mixed.destination_client)
    assert (await ledger.balances(west.chain, escrow))["token"] == LATER
    assert third.balance(other_kind.ALICE, f"transfer/{mixed.source_client}/token") == LATER


async def test_what_a_chain_cannot_take_ends_by_proven_timeout(
    cities: Cities, third: Embedded, mixed: LaneKey
) -> None:
    ended, west = await cities.completed(mixed), cities.cities[WEST]
    held = third.balance(other_kind.ALICE, other_kind.TOKEN)
    watch = LogWatch(cities, HUB, RELAYER, *cities.cities)
    one = third.payload(west.users[0].address)
    await third.send(mixed, [one, one], count=3, timeout_s=SHORT_S)
    nobodys = replace(one, source_port=NOBODYS, destination_port=NOBODYS)
    await third.send(mixed, [nobodys], timeout_s=SHORT_S)
    await third.send(mixed, [one], count=2)
    await watch.tells("PACKET_UNSUPPORTED")
    await cities.ended(ended + 6, mixed)
    assert third.balance(other_kind.ALICE, other_kind.TOKEN) == held - 2
    assert len(await cities.packets(mixed, "refunded")) == 4
    assert watch.broken == []


async def test_two_truths_of_a_chain_freeze_its_clients_everywhere(
    cities: Cities, third: Embedded
) -> None:
    lane = await cities.open_lane()
    west, east = cities.cities[WEST], cities.cities[EAST]
    height = (await cities.verified_heights(WEST))[-1]
    header = await header_at(west, height)
    forged = other_truth(header, west.chain.nodes[0].validator)
    verdict = await third.accuse(Misbehaviour(first=header, second=forged, peer=PeerId(WEST)))
    assert not verdict.refused, verdict.refused

    async def is_frozen() -> bool:
        state = await ledger.client_state(east.chain, lane.destination_client)
        return decode_client_state(state).is_frozen

    await cities.until(is_frozen, "the freeze of the client on the other chain")
    clients = (await cities.cli("client", "list", "--output", "json"))["clients"]
    frozen = {one["name"] for one in clients if one["status"] == "CLIENT_STATUS_FROZEN"}
    assert f"peers/{WEST}/client" in frozen


async def goes_on(other: OtherRelayer, sequences: range, since: int) -> None:
    """The other relayer goes on beside this one; it may be too late for all of them."""
    with suppress(Refused):
        await other.deliver(sequences, since)


async def header_at(city: City, height: int) -> Header:
    clock, chain = SystemClock(), ChainId(city.chain_id)
    node = CometNode(chain, Rpc(chain, [city.chain.rpc_url()], clock), clock)
    try:
        [header] = await node.headers([height])
    finally:
        await node.close()
    return header


async def all_ended(cities: Cities, lane: LaneKey) -> bool:
    return not (await cities.standing(lane) or await cities.standing(lane.reverse))
