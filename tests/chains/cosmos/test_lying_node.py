"""Each switch of a lying node does what it says, and nothing else is changed."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.chains.cosmos.lies import (
    FORGED_APP_HASH,
    FORGED_TIME,
    GARBAGE,
    SIMULATION,
    Lies,
    hash_of,
)
from tests.chains.cosmos.lying_node import LyingNode
from tests.chains.cosmos.network import CosmosNetwork
from tests.chains.cosmos.options import ChainOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

Json = dict[str, Any]
EVENTS = {"query": "tm.event='NewBlockHeader'"}
PROOF = {"path": "store/ibc/key", "data": "00", "height": "2", "prove": True}
SUPPLY = {"path": "/cosmos.bank.v1beta1.Query/TotalSupply", "data": "", "height": "2"}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CosmosNetwork]:
    options = ChainOptions(block_ms=300)
    directory = tmp_path_factory.mktemp("lying") / "chain"
    with CosmosNetwork(directory, "liar", options) as network:
        yield network


@pytest.fixture
async def node(chain: CosmosNetwork) -> AsyncIterator[LyingNode]:
    await chain.wait_ready(6)
    async with LyingNode(chain.rpc_url()) as node:
        yield node


def question(method: str, params: Json, name: int = 1) -> Json:
    return {"jsonrpc": "2.0", "id": name, "method": method, "params": params}


async def post(node: LyingNode, asked: Json | list[Json]) -> Any:
    async with aiohttp.ClientSession() as session, session.post(node.url, json=asked) as answer:
        return await answer.json(content_type=None)


async def ask(node: LyingNode, method: str, params: Json) -> Json:
    answer: Json = await post(node, question(method, params))
    return answer


async def header_of(node: LyingNode, height: int) -> tuple[Json, str]:
    told = (await ask(node, "commit", {"height": str(height)}))["result"]["signed_header"]
    return told["header"], told["commit"]["block_id"]["hash"]


async def newest(node: LyingNode) -> int:
    status = (await ask(node, "status", {}))["result"]
    return int(status["sync_info"]["latest_block_height"])


async def test_as_it_is_made_it_tells_what_the_node_tells(
    node: LyingNode, chain: CosmosNetwork
) -> None:
    asked: list[tuple[str, Json]] = [
        ("commit", {"height": "3"}),
        ("block", {"height": "3"}),
        ("abci_query", PROOF),
        ("abci_query", SUPPLY),
        ("validators", {"height": "3", "per_page": "100"}),
    ]
    for method, params in asked:
        told = (await ask(node, method, params))["result"]
        assert told == await chain.call(method, params), method
    header, committed = await header_of(node, 3)
    assert hash_of(header) == committed
    assert node.asked == 6


async def test_an_array_is_answered_in_its_order(node: LyingNode) -> None:
    asked = [question("commit", {"height": str(height)}, height) for height in (4, 2, 3)]
    told = await post(node, asked)
    assert [one["id"] for one in told] == [4, 2, 3]
    assert [one["result"]["signed_header"]["header"]["height"] for one in told] == ["4", "2", "3"]


async def test_an_array_that_is_too_long_is_refused_as_by_the_node(node: LyingNode) -> None:
    told = await post(node, [question("health", {}, name) for name in range(11)])
    assert all("exceeds maximum (10)" in one["error"]["data"] for one in told)


@pytest.mark.parametrize(
    ("forged", "value"), [("app_hash", FORGED_APP_HASH), ("time", FORGED_TIME)]
)
async def test_a_forged_header_is_not_what_the_commit_is_for(
    node: LyingNode, forged: str, value: str
) -> None:
    node.lies.forged = forged
    header, committed = await header_of(node, 3)
    assert header[forged] == value
    assert hash_of(header) != committed
    block = (await ask(node, "block", {"height": "3"}))["result"]["block"]
    assert block["header"] == header


async def test_a_forged_header_may_have_a_commit_that_names_it(node: LyingNode) -> None:
    honest, _ = await header_of(node, 3)
    node.lies.forged, node.lies.is_recommitted = "app_hash", True
    header, committed = await header_of(node, 3)
    assert hash_of(header) == committed != hash_of(honest)


async def test_an_altered_proof_differs_in_one_bit_of_each_operation(node: LyingNode) -> None:
    honest = (await ask(node, "abci_query", PROOF))["result"]["response"]
    node.lies.alters_proofs = True
    told = (await ask(node, "abci_query", PROOF))["result"]["response"]
    for ours, theirs in zip(told["proofOps"]["ops"], honest["proofOps"]["ops"], strict=True):
        assert differing_bits(ours["data"], theirs["data"]) == 1
    assert told | {"proofOps": None} == honest | {"proofOps": None}


async def test_an_altered_value_differs_in_one_bit(node: LyingNode) -> None:
    honest = (await ask(node, "abci_query", SUPPLY))["result"]["response"]
    node.lies.alters_values = True
    told = (await ask(node, "abci_query", SUPPLY))["result"]["response"]
    assert differing_bits(told["value"], honest["value"]) == 1


async def test_another_chain_is_named_everywhere(node: LyingNode) -> None:
    node.lies.chain_id = "other-1"
    status = (await ask(node, "status", {}))["result"]
    assert status["node_info"]["network"] == "other-1"
    assert (await header_of(node, 3))[0]["chain_id"] == "other-1"


async def test_a_node_that_is_behind_has_not_seen_the_newest_blocks(node: LyingNode) -> None:
    honest = await newest(node)
    node.lies.behind = 3
    shown = await newest(node)
    assert honest - 3 <= shown <= honest - 1
    header = (await ask(node, "commit", {}))["result"]["signed_header"]["header"]
    assert shown <= int(header["height"]) <= shown + 1
    told = await ask(node, "commit", {"height": str(shown + 20)})
    assert "must be less than or equal" in told["error"]["data"]
    supply = (await ask(node, "abci_query", SUPPLY | {"height": "0"}))["result"]["response"]
    assert int(supply["height"]) <= shown + 1
    told = await ask(node, "abci_query", SUPPLY | {"height": str(shown + 20)})
    assert told["result"]["response"]["code"] == 26


async def test_events_of_a_node_that_is_behind_come_late(node: LyingNode) -> None:
    node.lies.behind = 3
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{node.url}/websocket") as socket:
            await socket.send_json(question("subscribe", EVENTS))
            assert json.loads((await socket.receive()).data)["result"] == {}
            height = await first_height(socket)
        node.lies.behind = 0
        assert await newest(node) >= height + 3


async def test_events_pass_through(node: LyingNode) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{node.url}/websocket") as socket,
    ):
        await socket.send_json(question("subscribe", EVENTS))
        assert json.loads((await socket.receive()).data)["result"] == {}
        assert await first_height(socket) > 0


async def test_what_is_pruned_is_refused_as_by_a_node(node: LyingNode) -> None:
    node.lies.lowest = 4
    for method in ("commit", "block", "block_results", "validators"):
        told = await ask(node, method, {"height": "3"})
        assert told["error"]["data"] == "height 3 is not available, lowest height is 4"
        assert "result" in await ask(node, method, {"height": "4"})
    proof = (await ask(node, "abci_query", PROOF))["result"]["response"]
    assert (proof["codespace"], proof["code"], proof["proofOps"]) == ("store", 7, None)
    supply = (await ask(node, "abci_query", SUPPLY))["result"]["response"]
    assert (supply["codespace"], supply["code"]) == ("sdk", 38)
    status = (await ask(node, "status", {}))["result"]
    assert status["sync_info"]["earliest_block_height"] == "4"


async def test_a_transaction_is_taken_and_forgotten(node: LyingNode) -> None:
    node.lies.drops = True
    told = await ask(node, "broadcast_tx_sync", {"tx": b64encode(b"transaction").decode()})
    assert told["result"]["code"] == 0
    assert told["result"]["hash"] == sha256(b"transaction").hexdigest().upper()
    assert node.lies.dropped == [b"transaction"]
    node.lies.drops = False
    told = await ask(node, "broadcast_tx_sync", {"tx": b64encode(b"transaction").decode()})
    assert told["result"]["code"] == 2


async def test_what_is_passed_on_is_counted_and_what_is_dropped_is_not(node: LyingNode) -> None:
    before = node.passed_on
    params = {"tx": b64encode(b"transaction").decode()}
    node.lies.drops = True
    await ask(node, "broadcast_tx_sync", params)
    assert node.passed_on == before
    node.be_honest()
    await ask(node, "broadcast_tx_sync", params)
    assert node.passed_on == before + 1


def test_a_simulation_tells_a_part_of_its_gas() -> None:
    asked = {"method": "abci_query", "params": {"path": SIMULATION}}
    content = {"gas_info": {"gas_wanted": "0", "gas_used": "90001"}, "result": {}}
    value = b64encode(json.dumps(content).encode()).decode()
    told = Lies(saves_gas=3).tell(asked, {"result": {"response": {"value": value}}}, 7)
    simulated = json.loads(b64decode(told["result"]["response"]["value"]))
    assert simulated["gas_info"] == {"gas_wanted": "0", "gas_used": "30000"}


async def test_a_slow_node_answers_late(node: LyingNode) -> None:
    node.lies.delay_s = 60
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(newest(node), 0.2)


async def test_garbage_is_no_json(node: LyingNode) -> None:
    node.lies.is_garbage = True
    async with (
        aiohttp.ClientSession() as session,
        session.post(node.url, json=question("status", {})) as answer,
    ):
        assert await answer.read() == GARBAGE


async def test_a_node_that_is_down_refuses_connections_until_it_is_up(node: LyingNode) -> None:
    await node.down()
    with pytest.raises(aiohttp.ClientConnectorError):
        await newest(node)
    await node.up()
    assert await newest(node) > 0


async def test_a_node_whose_target_is_gone_is_a_bad_gateway(chain: CosmosNetwork) -> None:
    async with (
        LyingNode("http://127.0.0.1:9") as node,
        aiohttp.ClientSession() as session,
        session.post(node.url, json=question("status", {})) as answer,
    ):
        assert answer.status == 502


async def first_height(socket: aiohttp.ClientWebSocketResponse) -> int:
    event = json.loads((await socket.receive(timeout=20)).data)["result"]
    return int(event["data"]["value"]["header"]["height"])


def differing_bits(one: str, other: str) -> int:
    first, second = b64decode(one), b64decode(other)
    assert len(first) == len(second)
    return sum((a ^ b).bit_count() for a, b in zip(first, second, strict=True))
