from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.rpc.results_hash import data_hash
from hub.core.errors import (
    ChainIdMismatch,
    ChainUnreachable,
    CommitMismatch,
    HeaderNotFound,
    HubError,
    RecordCorrupt,
    TransactionRefused,
    ValidatorSetMismatch,
)
from tests.harness.comet_json import (
    base64,
    block_json,
    commit_json,
    event_json,
    query_json,
    results_json,
    tx_json,
)
from tests.harness.comet_rpc import CHAIN, CallFailed, ScriptedNode, comet
from tests.harness.cometbft import Block, make_chain, members, resigned, with_header

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from adapters.cosmos.rpc.node import CometNode

GROUP, OTHERS = members(30, 20, 10), members(7, 7, first=10)
BLOCKS = make_chain([GROUP] * 3 + [OTHERS] * 3)
TRANSACTIONS = (b"one", b"two")


def fail(_: object) -> None:
    raise CallFailed


def said(answer: object, _: object) -> object:
    return answer


async def test_headers_come_in_the_order_asked_for() -> None:
    async with comet(ScriptedNode(BLOCKS)) as node:
        found = await node.headers((5, 1, 3))
        assert found == tuple([BLOCKS[at - 1].header for at in (5, 1, 3)])
        assert await node.headers(()) == ()
        assert await node.header_fields(2) == BLOCKS[1].signed.header


BY_HEIGHT: list[Callable[[CometNode, int], Awaitable[object]]] = [
    lambda node, at: node.headers((2, at)),
    lambda node, at: node.header_fields(at),
    lambda node, at: node.results(at),
    lambda node, at: node.transactions(at),
]


@pytest.mark.parametrize("ask", BY_HEIGHT)
@pytest.mark.parametrize("at", [-1, 0, 1, 7, 2**62])
async def test_a_block_that_is_gone_or_not_there_yet_is_not_found(
    ask: Callable[[CometNode, int], Awaitable[object]], at: int
) -> None:
    scripted = ScriptedNode(BLOCKS[1:])
    scripted.methods |= {"block": fail, "block_results": fail}
    async with comet(scripted) as node:
        with pytest.raises(HeaderNotFound) as caught:
            await ask(node, at)
    assert (caught.value.client, caught.value.height) == (CHAIN, at)


@pytest.mark.parametrize("ask", BY_HEIGHT)
@pytest.mark.parametrize("answer", [fail, lambda _: None])
async def test_a_block_that_the_node_has_and_does_not_show_is_asked_for_again(
    ask: Callable[[CometNode, int], Awaitable[object]], answer: Callable[[object], None]
) -> None:
    scripted = ScriptedNode(BLOCKS)
    scripted.methods |= {"commit": answer, "block": answer, "block_results": answer}
    async with comet(scripted) as node:
        with pytest.raises(ChainUnreachable):
            await ask(node, 3)


async def test_a_block_that_one_node_lacks_is_asked_of_the_next() -> None:
    pruned, archive = ScriptedNode(BLOCKS[3:]), ScriptedNode(BLOCKS)
    async with comet(pruned, archive) as node:
        assert await node.headers((1,)) == (BLOCKS[0].header,)
        assert await node.headers((5,)) == (BLOCKS[4].header,)
    assert [params["height"] for params in archive.calls("commit")] == ["1"]


FORGED = [
    (with_header(BLOCKS[2], app_hash=bytes(32)), CommitMismatch),
    (with_header(BLOCKS[2], height=4), RecordCorrupt),
    (with_header(BLOCKS[2], chain_id="suzhou-2"), ChainIdMismatch),
    (resigned(BLOCKS[2], validators_hash=bytes(32)), ValidatorSetMismatch),
    (make_chain([OTHERS] * 3)[2], ValidatorSetMismatch),
]


@pytest.mark.parametrize(("forged", "error"), FORGED)
async def test_a_forged_header_has_its_own_error_and_the_next_node_is_asked(
    forged: Block, error: type[HubError]
) -> None:
    liar, honest = ScriptedNode(BLOCKS), ScriptedNode(BLOCKS)
    liar.methods["commit"] = lambda _: commit_json(forged)
    async with comet(liar) as node:
        with pytest.raises(error):
            await node.headers((3,))
    async with comet(liar, honest) as node:
        assert await node.headers((3,)) == (BLOCKS[2].header,)


async def test_results_are_read_with_the_kinds_that_are_wanted() -> None:
    scripted = ScriptedNode(BLOCKS)
    events = [event_json("send_packet", packet_sequence="1"), event_json("tx", fee="")]
    scripted.methods["block_results"] = lambda _: results_json(3, [tx_json(events=events)])
    async with comet(scripted) as node:
        found = await node.results(3)
        assert [event.kind for event in found.transactions[0].events] == ["send_packet"]
        found = await node.results(3, frozenset({"tx"}))
        assert [event.kind for event in found.transactions[0].events] == ["tx"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (results_json(4, []), RecordCorrupt),
        (results_json(3, [tx_json(data="not base 64")]), ChainUnreachable),
        (results_json(3, [tx_json(code=-1)]), ChainUnreachable),
        (results_json(3, [tx_json(gas_used=str(2**63))]), ChainUnreachable),
        (
            results_json(3, [{"events": [{"type": "send_packet", "attributes": 7}]}]),
            ChainUnreachable,
        ),
        ({"height": "3"}, ChainUnreachable),
    ],
)
async def test_results_that_cannot_be_have_their_own_error(
    answer: object, error: type[HubError]
) -> None:
    scripted = ScriptedNode(BLOCKS)
    scripted.methods["block_results"] = lambda _: answer
    async with comet(scripted) as node:
        with pytest.raises(error):
            await node.results(3)


def with_transactions(transactions: Sequence[bytes] = TRANSACTIONS) -> Block:
    return resigned(BLOCKS[2], data_hash=data_hash(transactions))


async def test_transactions_are_those_that_the_header_commits_to() -> None:
    scripted = ScriptedNode(BLOCKS)
    async with comet(scripted) as node:
        for found in (TRANSACTIONS, ()):
            answer = block_json(with_transactions(found), found)
            scripted.methods["block"] = partial(said, answer)
            assert await node.transactions(3) == found
        answer = block_json(with_transactions(()), ())
        answer["block"]["data"]["txs"] = None
        scripted.methods["block"] = partial(said, answer)
        assert await node.transactions(3) == ()


@pytest.mark.parametrize(
    ("block", "transactions", "error"),
    [
        (with_transactions(), (b"one", b"three"), RecordCorrupt),
        (with_transactions(), (b"two", b"one"), RecordCorrupt),
        (with_transactions(), (b"one",), RecordCorrupt),
        (with_header(BLOCKS[2], data_hash=data_hash(TRANSACTIONS)), TRANSACTIONS, CommitMismatch),
        (resigned(with_transactions(), height=4), TRANSACTIONS, RecordCorrupt),
        (resigned(with_transactions(), chain_id="suzhou-2"), TRANSACTIONS, ChainIdMismatch),
    ],
)
async def test_transactions_of_another_block_have_their_own_error(
    block: Block, transactions: Sequence[bytes], error: type[HubError]
) -> None:
    scripted = ScriptedNode(BLOCKS)
    scripted.methods["block"] = lambda _: block_json(block, transactions)
    async with comet(scripted) as node:
        with pytest.raises(error):
            await node.transactions(3)


async def test_a_block_without_a_body_is_asked_for_again() -> None:
    scripted = ScriptedNode(BLOCKS)
    scripted.methods["block"] = lambda _: block_json(BLOCKS[2], ()) | {"block": None}
    async with comet(scripted) as node:
        with pytest.raises(ChainUnreachable):
            await node.transactions(3)


async def test_the_application_is_asked() -> None:
    scripted = ScriptedNode(BLOCKS)
    scripted.methods["abci_query"] = lambda params: query_json(
        value=base64(bytes.fromhex(params["data"]) * 2) or None, height=params["height"]
    )
    async with comet(scripted) as node:
        assert await node.query("/some/path", b"ab") == b"abab"
        assert await node.query_all("/some/path", (b"a", b""), 4) == (b"aa", b"")
    assert scripted.calls("abci_query")[0] == {
        "path": "/some/path",
        "data": "6162",
        "height": "0",
        "prove": False,
    }


async def test_what_the_application_refuses_is_told_by_its_code() -> None:
    scripted = ScriptedNode(BLOCKS)
    answer = query_json(code=22, codespace="sdk", log="x" * 5000)
    scripted.methods["abci_query"] = lambda _: answer
    async with comet(scripted) as node:
        with pytest.raises(TransactionRefused) as caught:
            await node.query("/some/path", b"")
    refused = caught.value
    assert (refused.chain, refused.codespace, refused.code) == (CHAIN, "sdk", 22)
    assert refused.log == "x" * 300


async def test_a_state_that_one_node_lacks_is_asked_of_the_next() -> None:
    pruned, archive = ScriptedNode(BLOCKS), ScriptedNode(BLOCKS)
    pruned.methods["abci_query"] = lambda _: query_json(code=38, codespace="sdk")
    archive.methods["abci_query"] = lambda params: query_json(
        value=base64(b"answer"), height=params["height"]
    )
    async with comet(pruned, archive) as node:
        assert await node.query("/some/path", b"", 4) == b"answer"
    async with comet(pruned) as node:
        for asked in (node.query("/some/path", b"", 4), node.prove("ibc", (b"key",), 4)):
            with pytest.raises(HeaderNotFound):
                await asked
