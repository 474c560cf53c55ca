from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.blocks.outcomes import LOOK_BACK, Outcomes
from hub.core.errors import RecordCorrupt, TransactionLost
from hub.core.time import SECOND, Duration
from tests.harness.clock import ManualClock, settle
from tests.harness.comet_node import ScriptedNode, tx_result, unreachable

if TYPE_CHECKING:
    from adapters.cosmos.rpc.records import TxResult
    from tests.harness.comet_node import ScriptedBlock

TX = b"a transaction"
OTHER_TX = b"another one"
HASH = sha256(TX).digest()


class Waiting:
    """Outcomes whose blocks are seen one by one, as the follower shows them."""

    def __init__(self, height: int = 100) -> None:
        self.node = ScriptedNode(height)
        self.clock = ManualClock()
        self.outcomes = Outcomes(self.node, self.clock, self.node.results)
        self.outcomes.start(height)

    async def produce(self, *transactions: tuple[bytes, TxResult]) -> ScriptedBlock:
        block = self.node.produce(transactions=transactions)
        await self.outcomes.see(block.results)
        return block

    async def start(self, timeout_height: int = 110, tx: bytes = TX) -> asyncio.Task[TxResult]:
        waiting = asyncio.create_task(self.outcomes.outcome(sha256(tx).digest(), timeout_height))
        await settle()
        for _ in range(LOOK_BACK):
            await settle()
        return waiting


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


async def test_an_outcome_is_that_of_the_transaction_of_that_hash(waiting: Waiting) -> None:
    task, other = await waiting.start(), await waiting.start(tx=OTHER_TX)
    await waiting.produce()
    assert not task.done()
    await waiting.produce((OTHER_TX, tx_result(code=11)), (TX, tx_result()))
    assert (await task).code == 0
    assert (await other).code == 11


async def test_a_block_too_large_to_be_read_is_not_waited_for(waiting: Waiting) -> None:
    waiting.node.produce(transactions=[(TX, tx_result())])
    waiting.node.huge.add(101)
    waiting.outcomes.start(101)
    task = await waiting.start(102)
    await waiting.produce()
    with pytest.raises(TransactionLost):
        await asyncio.wait_for(task, 5)


async def test_several_may_wait_for_one_transaction(waiting: Waiting) -> None:
    tasks = [await waiting.start(), await waiting.start(timeout_height=101)]
    await waiting.produce((TX, tx_result()))
    assert [(await task).code for task in tasks] == [0, 0]


async def test_the_first_time_that_a_transaction_stands_in_a_block_counts(
    waiting: Waiting,
) -> None:
    task = await waiting.start()
    await waiting.produce((TX, tx_result(code=32)), (TX, tx_result()))
    assert (await task).code == 32


async def test_blocks_are_fetched_only_while_somebody_waits(waiting: Waiting) -> None:
    await waiting.produce((OTHER_TX, tx_result()))
    assert waiting.node.called("transactions") == []
    task = await waiting.start()
    waiting.node.calls.clear()
    await waiting.produce((TX, tx_result()))
    await task
    await waiting.produce((OTHER_TX, tx_result()))
    assert waiting.node.called("transactions") == [102]


async def test_a_transaction_that_stands_in_a_block_already_is_found(waiting: Waiting) -> None:
    await waiting.produce((OTHER_TX, tx_result()), (TX, tx_result(code=5)))
    await waiting.produce()
    assert (await waiting.outcomes.outcome(HASH, 101)).code == 5
    assert (await waiting.outcomes.outcome(HASH, 101)).code == 5
    assert waiting.node.called("transactions") == [102, 101]


async def test_no_more_blocks_are_looked_through_than_a_broadcast_may_take(
    waiting: Waiting,
) -> None:
    await waiting.produce((TX, tx_result()))
    for _ in range(LOOK_BACK):
        await waiting.produce()
    with pytest.raises(TransactionLost):
        await waiting.outcomes.outcome(HASH, 102)
    assert len(waiting.node.called("transactions")) == LOOK_BACK


async def test_a_young_chain_is_looked_through_to_its_first_block() -> None:
    waiting = Waiting(height=2)
    task = await waiting.start()
    assert waiting.node.called("transactions") == [2, 1]
    await waiting.produce((TX, tx_result()))
    assert (await task).code == 0


async def test_a_transaction_is_lost_when_its_last_block_is_past(waiting: Waiting) -> None:
    task = await waiting.start(timeout_height=103)
    await waiting.produce()
    await waiting.produce()
    await settle()
    assert not task.done()
    await waiting.produce()
    with pytest.raises(TransactionLost) as raised:
        await task
    assert raised.value.metadata == {
        "chain": "suzhou-1",
        "transaction": HASH.hex().upper(),
        "height": "103",
    }


async def test_a_transaction_in_its_last_block_is_not_lost(waiting: Waiting) -> None:
    task = await waiting.start(timeout_height=101)
    await waiting.produce((TX, tx_result()))
    assert (await task).code == 0


async def test_a_transaction_whose_last_block_is_past_already_is_lost(waiting: Waiting) -> None:
    with pytest.raises(TransactionLost):
        await waiting.outcomes.outcome(HASH, 100)


async def test_looking_back_is_tried_until_it_is_answered(waiting: Waiting) -> None:
    await waiting.produce((TX, tx_result()))
    await waiting.produce()
    waiting.node.failures["transactions"] = [unreachable(), unreachable()]
    waiting.node.failures["results"] = [unreachable()]
    task = await waiting.start(timeout_height=101)
    assert not task.done()
    await waiting.clock.advance(Duration(15 * SECOND))
    assert (await task).code == 0
    assert not waiting.node.failures["transactions"]
    assert not waiting.node.failures["results"]


async def test_a_block_that_comes_while_looking_back_is_looked_through_too(
    waiting: Waiting,
) -> None:
    waiting.node.failures["transactions"] = [unreachable()]
    task = await waiting.start(timeout_height=101)
    await waiting.produce((TX, tx_result()))
    await waiting.produce()
    await waiting.clock.advance(Duration(15 * SECOND))
    assert (await task).code == 0


async def test_results_of_another_count_than_the_transactions_are_corrupt(
    waiting: Waiting,
) -> None:
    task = await waiting.start()
    block = waiting.node.produce(transactions=[(OTHER_TX, tx_result()), (TX, tx_result())])
    results = block.results
    del block.transactions[0]
    with pytest.raises(RecordCorrupt, match="block 101"):
        await waiting.outcomes.see(results)
    assert not task.done()
    await waiting.outcomes.see(block.results)
    assert (await task).code == 0


async def test_a_node_that_shows_other_results_than_transactions_is_left_for_another(
    waiting: Waiting,
) -> None:
    block = await waiting.produce((TX, tx_result()))
    whole = list(block.transactions)
    block.transactions.append((OTHER_TX, tx_result()))
    waiting.node.failures["results"] = [RecordCorrupt(what="", stored="", computed="")]
    task = await waiting.start(timeout_height=101)
    assert len(waiting.node.called("doubt")) == 1
    block.transactions[:] = whole
    await waiting.clock.advance(Duration(15 * SECOND))
    assert (await task).code == 0


async def test_whoever_stops_waiting_is_forgotten(waiting: Waiting) -> None:
    task = await waiting.start()
    task.cancel()
    await settle()
    waiting.node.calls.clear()
    await waiting.produce((TX, tx_result()))
    assert waiting.node.called("transactions") == []
    assert task.cancelled()
