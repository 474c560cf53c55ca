from __future__ import annotations

import asyncio
from base64 import b64decode
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from adapters.cosmos.rpc.node import POLL, REFUSED_BY_NODE, STALE_POLLS, CometNode, NodeStatus
from adapters.cosmos.rpc.results_hash import data_hash
from adapters.cosmos.rpc.transport import Rpc
from adapters.sdk.clock import Clock, SystemClock
from hub.core.errors import (
    ChainIdMismatch,
    ChainUnreachable,
    CommitMismatch,
    HeaderNotFound,
    HeaderUnparseable,
    HubError,
    LimitExceeded,
    RecordCorrupt,
    TransactionRefused,
    ValidatorSetMismatch,
)
from tests.harness.clock import ManualClock, until
from tests.harness.comet_json import (
    base64,
    block_json,
    commit_json,
    event_json,
    query_json,
    results_json,
    tx_json,
    validators_json,
)
from tests.harness.comet_rpc import CHAIN, CallFailed, ScriptedNode, served
from tests.harness.cometbft import Block, Member, make_chain, members, resigned, with_header

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

GROUP, OTHERS = members(30, 20, 10), members(7, 7, first=10)
BLOCKS = make_chain([GROUP] * 3 + [OTHERS] * 3)
TRANSACTIONS = (b"one", b"two")
NOWHERE = "http://127.0.0.1:9"


@asynccontextmanager
async def comet(
    *nodes: ScriptedNode, before: tuple[str, ...] = (), clock: Clock | None = None
) -> AsyncIterator[CometNode]:
    clock = clock or SystemClock()
    async with served(*nodes) as urls:
        node = CometNode(CHAIN, Rpc(CHAIN, (*before, *urls), clock), clock)
        try:
            yield node
        finally:
            await node.close()


def fail(_: object) -> None:
    raise CallFailed


def said(answer: object, _: object) -> object:
    return answer


async def test_the_status_is_told() -> None:
    async with comet(ScriptedNode(BLOCKS)) as node:
        assert await node.status() == NodeStatus(CHAIN, 6, 1, is_catching_up=False)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"node_info": {"network": "suzhou-2"}}, ChainIdMismatch),
        ({"node_info": {}}, ChainUnreachable),
        ({"sync_info": {}}, ChainUnreachable),
        ({"sync_info": None}, ChainUnreachable),
    ],
)
async def test_a_status_that_cannot_be_has_its_own_error(
    fields: dict[str, Any], error: type[HubError]
) -> None:
    scripted = ScriptedNode(BLOCKS)
    async with comet(scripted) as node:
        await node.status()
        scripted.methods["status"] = lambda _: scripted.status() | fields
        with pytest.raises(error):
            await node.status()


async def test_headers_come_in_the_order_asked_for() -> None:
    async with comet(ScriptedNode(BLOCKS)) as node:
        found = await node.headers((5, 1, 3))
        assert found == tuple([BLOCKS[at - 1].header for at in (5, 1, 3)])
        assert await node.headers(()) == ()
        assert await node.header_fields(2) == BLOCKS[1].signed.header


async def test_validators_are_asked_for_once_a_set() -> None:
    scripted = ScriptedNode(BLOCKS)
    async with comet(scripted) as node:
        await node.headers(range(1, 7))
        await node.headers(range(1, 7))
    assert [params["height"] for params in scripted.calls("validators")] == ["1", "4"]


async def test_a_set_of_hundreds_is_asked_for_page_by_page() -> None:
    group = tuple([Member(at, 500 - at) for at in range(230)])
    (block,) = make_chain([group])
    scripted = ScriptedNode([block])
    async with comet(scripted) as node:
        assert await node.headers((1,)) == (block.header,)
    assert [params["page"] for params in scripted.calls("validators")] == ["1", "2", "3"]


async def test_only_the_last_sets_are_remembered() -> None:
    blocks = make_chain([members(at, first=at) for at in range(1, 36)])
    scripted = ScriptedNode(blocks)
    async with comet(scripted) as node:
        await node.headers(range(1, 36))
        await node.headers((35, 1))
    assert len(scripted.calls("validators")) == 36


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


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"validators": []}, HeaderUnparseable),
        ({"validators": None}, HeaderUnparseable),
        ({"total": "513"}, LimitExceeded),
        ({"total": "4"}, ValidatorSetMismatch),
        ({"total": "9" * 30}, ChainUnreachable),
        ({"validators": [{}]}, ChainUnreachable),
    ],
)
async def test_pages_that_cannot_be_have_their_own_error(
    fields: dict[str, Any], error: type[HubError]
) -> None:
    scripted = ScriptedNode(BLOCKS)
    scripted.methods["validators"] = lambda _: validators_json(BLOCKS[2]) | fields
    async with comet(scripted) as node:
        with pytest.raises(error):
            await node.headers((3,))
    assert len(scripted.calls("validators")) <= 6


async def test_a_set_that_has_its_hash_counts_whatever_total_is_told() -> None:
    scripted = ScriptedNode(BLOCKS)
    scripted.methods["validators"] = lambda _: validators_json(BLOCKS[2]) | {"total": "0"}
    async with comet(scripted) as node:
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


class Mempool(ScriptedNode):
    """Takes transactions, and says of each what it is told to."""

    def __init__(self) -> None:
        super().__init__(BLOCKS)
        self.taken: list[bytes] = []
        self.changes: dict[bytes, dict[str, Any]] = {}
        self.methods["broadcast_tx_sync"] = self.take

    def take(self, params: dict[str, Any]) -> dict[str, Any]:
        transaction = b64decode(params["tx"])
        self.taken.append(transaction)
        if transaction == b"full":
            raise CallFailed
        return {
            "code": 0,
            "data": "",
            "log": "",
            "codespace": "",
            "hash": sha256(transaction).hexdigest().upper(),
        } | self.changes.get(transaction, {})


async def test_transactions_reach_the_mempool_in_their_order() -> None:
    mempool, transactions = Mempool(), [b"%d" % at for at in range(35)]
    async with comet(mempool) as node:
        parts = (transactions[:20], transactions[20:])
        found = await asyncio.gather(*[node.broadcast(part) for part in parts])
        assert await node.broadcast(()) == ()
    assert mempool.taken == transactions
    checked = [one for part in found for one in part]
    assert [one.hash for one in checked] == [sha256(one).digest() for one in transactions]
    assert not any(one.code for one in checked)


async def test_what_the_mempool_makes_of_each_is_told() -> None:
    mempool = Mempool()
    mempool.changes[b"bad"] = {"code": 32, "codespace": "sdk", "log": "x" * 5000}
    async with comet(mempool) as node:
        found = await node.broadcast((b"good", b"bad", b"full", b"good"))
    assert [(one.code, one.codespace) for one in found] == [
        (0, ""),
        (32, "sdk"),
        (-32603, REFUSED_BY_NODE),
        (0, ""),
    ]
    assert found[1].log == "x" * 300
    assert found[2].hash == sha256(b"full").digest()


async def test_a_refusal_without_a_number_never_says_that_it_was_taken() -> None:
    mempool = Mempool()
    mempool.methods["broadcast_tx_sync"] = lambda _: None
    async with comet(mempool) as node:
        (found,) = await node.broadcast((b"one",))
    assert (found.code, found.codespace) == (-1, REFUSED_BY_NODE)


async def test_an_answer_about_another_transaction_is_a_lie() -> None:
    mempool = Mempool()
    async with comet(mempool) as node:
        for digest in ("AB" * 32, "", "x" * 5000):
            mempool.changes[b"one"] = {"hash": digest}
            with pytest.raises(RecordCorrupt):
                await node.broadcast((b"one",))


async def test_a_transaction_too_large_for_a_node_is_not_sent() -> None:
    mempool = Mempool()
    async with comet(mempool) as node:
        with pytest.raises(LimitExceeded):
            await node.broadcast((b"one", bytes(750_000)))
    assert not mempool.taken


async def test_a_node_that_goes_away_between_is_left_for_the_next() -> None:
    mempool = Mempool()
    async with comet(mempool, before=(NOWHERE,)) as node:
        assert len(await node.broadcast((b"one",))) == 1
    async with comet(before=(NOWHERE,)) as node:
        with pytest.raises(ChainUnreachable):
            await node.broadcast((b"one",))


async def test_a_height_that_is_there_is_told_at_once() -> None:
    async with comet(ScriptedNode(BLOCKS)) as node:
        assert await node.above(0) == 6
        assert await node.above(5) == 6


async def test_a_new_height_is_told_by_a_hint_without_waiting_for_the_next_poll() -> None:
    scripted, clock = ScriptedNode(BLOCKS[:5]), ManualClock()
    async with comet(scripted, clock=clock) as node:
        waiting = asyncio.ensure_future(node.above(5))
        await until(lambda: scripted.sockets)
        scripted.blocks[6] = BLOCKS[5]
        await scripted.announce(6)
        assert await waiting == 6


async def test_a_hint_alone_is_not_believed() -> None:
    scripted, clock = ScriptedNode(BLOCKS[:5]), ManualClock()
    async with comet(scripted, clock=clock) as node:
        waiting = asyncio.ensure_future(node.above(5))
        await until(lambda: scripted.sockets)
        asked = len(scripted.calls("status"))
        await scripted.announce(10**9)
        await until(lambda: len(scripted.calls("status")) > asked)
        assert not waiting.done()
        waiting.cancel()


async def test_without_hints_a_new_height_is_found_by_polling() -> None:
    scripted, clock = ScriptedNode(BLOCKS[:5]), ManualClock()
    scripted.subscription = {"error": {"code": -32603}}
    async with comet(scripted, clock=clock) as node:
        waiting = asyncio.ensure_future(node.above(5))
        await until(lambda: len(scripted.calls("status")) == 2)  # admitted, and asked
        await until(lambda: clock.is_awaited)
        scripted.blocks[6] = BLOCKS[5]
        async with asyncio.timeout(5):
            while not waiting.done():
                await clock.advance(POLL)
        assert waiting.result() == 6


async def test_a_node_that_stands_still_is_left_for_one_that_goes_on() -> None:
    still, ahead, clock = ScriptedNode(BLOCKS[:5]), ScriptedNode(BLOCKS), ManualClock()
    async with comet(still, ahead, clock=clock) as node:
        waiting = asyncio.ensure_future(node.above(5))
        async with asyncio.timeout(5):
            while not waiting.done():
                await clock.advance(POLL)
        assert waiting.result() == 6
        assert len(still.calls("status")) <= STALE_POLLS + 3
        still.posts.clear()
        assert (await node.status()).latest == 6
        assert not still.posts


async def test_a_node_that_stands_still_alone_stays() -> None:
    still, clock = ScriptedNode(BLOCKS), ManualClock()
    async with comet(still, clock=clock, before=(NOWHERE,)) as node:
        waiting = asyncio.ensure_future(node.above(6))
        async with asyncio.timeout(5):
            while len(still.calls("status")) < 2 * STALE_POLLS:
                await clock.advance(POLL)
        assert not waiting.done()
        waiting.cancel()


async def test_a_node_whose_word_was_disproven_is_left_for_the_next() -> None:
    liar, honest = ScriptedNode(BLOCKS[:5]), ScriptedNode(BLOCKS)
    async with comet(liar, honest) as node:
        assert (await node.status()).latest == 5
        node.doubt()
        assert (await node.status()).latest == 6


async def test_where_no_node_answers_no_height_is_waited_for() -> None:
    async with comet(before=(NOWHERE,)) as node:
        with pytest.raises(ChainUnreachable):
            await node.above(0)
