from __future__ import annotations

import asyncio
from base64 import b64decode
from hashlib import sha256
from typing import Any

import pytest

from adapters.cosmos.rpc.node import REFUSED_BY_NODE
from hub.core.errors import ChainUnreachable, LimitExceeded, RecordCorrupt
from tests.harness.comet_rpc import NOWHERE, CallFailed, ScriptedNode, comet


class Mempool(ScriptedNode):
    """Takes transactions, and says of each what it is told to."""

    def __init__(self) -> None:
        super().__init__()
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
