from __future__ import annotations

import asyncio

import pytest

from adapters.simchain.block_log import MemoryLog
from adapters.simchain.messages import RegisterCounterparty, Transaction
from adapters.simchain.misbehave import Misbehaviour
from adapters.simchain.node import Node
from adapters.simchain.queries import PREFIX
from hub.core.errors import BacklogFull, ChainUnreachable
from hub.core.ids import ClientId
from hub.core.time import MILLISECOND, SECOND, Duration
from tests.harness.clock import ManualClock, settle
from tests.harness.simchain import chain_of

INTERVAL = Duration(200 * MILLISECOND)


def node_of(**changes: object) -> tuple[Node, ManualClock]:
    clock = ManualClock()
    return Node(chain_of("hangzhou", None, **changes), clock), clock


def transaction(number: int = 0) -> Transaction:
    message = RegisterCounterparty(
        client=ClientId(f"07-tendermint-{number}"),
        counterparty=ClientId("07-tendermint-0"),
        prefix=PREFIX,
    )
    return Transaction(signer="relayer", nonce=0, messages=(message,))


async def test_a_block_is_made_each_interval_at_the_clocks_time() -> None:
    node, clock = node_of()
    running = asyncio.ensure_future(node.run(INTERVAL))
    await settle()
    assert node.chain.height == 1
    await clock.advance(SECOND)
    assert node.chain.height == 6
    assert node.chain.time == clock.now()
    running.cancel()


async def test_waiting_ends_with_the_block() -> None:
    node, _ = node_of()
    waiting = asyncio.ensure_future(node.above(1))
    node.produce()
    await settle()
    assert not waiting.done()
    node.produce()
    assert await waiting == 2
    assert await node.above(0) == 2


async def test_a_transaction_has_its_result_in_the_next_block_and_the_same_one_once() -> None:
    node, _ = node_of()
    first = asyncio.ensure_future(node.result(transaction()))
    second = asyncio.ensure_future(node.result(transaction()))
    await settle()
    block = node.produce()
    assert len(block.results) == 1
    assert await first is await second
    assert (await first).height == 1


async def test_the_same_transaction_sent_again_has_a_result_of_its_own() -> None:
    node, _ = node_of()
    for height in (1, 2):
        waiting = asyncio.ensure_future(node.result(transaction()))
        await settle()
        node.produce()
        assert (await waiting).height == height


async def test_one_who_gives_up_takes_the_result_from_no_other() -> None:
    node, _ = node_of()
    first = asyncio.ensure_future(node.result(transaction()))
    second = asyncio.ensure_future(node.result(transaction()))
    await settle()
    first.cancel()
    await settle()
    node.produce()
    assert (await second).height == 1


async def test_a_full_mempool_refuses() -> None:
    node, _ = node_of(max_pending=1)
    waiting = asyncio.ensure_future(node.result(transaction(1)))
    await settle()
    with pytest.raises(BacklogFull):
        await node.result(transaction(2))
    node.produce()
    await waiting


async def test_blocks_are_told_before_anyone_who_waits() -> None:
    node, _ = node_of()
    seen: list[int] = []
    node.on_block = lambda block: seen.append(block.height)
    waiting = asyncio.ensure_future(node.above(0))
    await settle()
    node.produce()
    assert seen == [1]
    await waiting


async def test_a_stopped_node_tells_whoever_waits_that_the_outcome_is_unknown() -> None:
    node, _ = node_of()
    waiting = asyncio.ensure_future(node.result(transaction()))
    await settle()
    node.stop()
    with pytest.raises(ChainUnreachable):
        await waiting


async def test_while_the_disk_refuses_blocks_the_chain_stands_still() -> None:
    class FullLog(MemoryLog):
        is_full = False

        def append(self, record: bytes) -> None:
            if self.is_full:
                raise OSError(28, "No space left on device")
            super().append(record)

    log, clock = FullLog(), ManualClock()
    node = Node(chain_of("hangzhou", log), clock)
    running = asyncio.ensure_future(node.run(INTERVAL))
    await settle()
    log.is_full = True
    waiting = asyncio.ensure_future(node.result(transaction()))
    await clock.advance(SECOND)
    assert (node.chain.height, waiting.done()) == (1, False)
    log.is_full = False
    await clock.advance(INTERVAL)
    assert (await waiting).height == 2
    running.cancel()


async def test_a_stalled_chain_makes_no_block_and_goes_on_by_itself() -> None:
    node, clock = node_of()
    running = asyncio.ensure_future(node.run(INTERVAL))
    await settle()
    node.switches.turn_on(Misbehaviour.STALL, None, Duration(2 * SECOND))
    waiting = asyncio.ensure_future(node.result(transaction()))
    await clock.advance(SECOND)
    assert (node.chain.height, waiting.done()) == (1, False)
    await clock.advance(SECOND)
    assert (await waiting).height == 2
    running.cancel()


async def test_a_reordering_chain_takes_the_newest_transactions_first() -> None:
    log = MemoryLog()
    clock = ManualClock()
    node = Node(chain_of("hangzhou", log), clock)
    node.switches.turn_on(Misbehaviour.REORDER, None, Duration(SECOND))
    waiting = [asyncio.ensure_future(node.result(transaction(number))) for number in range(3)]
    await settle()
    hashes = [result.tx_hash for result in node.produce().results]
    assert hashes == [(await one).tx_hash for one in reversed(waiting)]
    # The log holds the order that was taken, so a chain that starts again is the same.
    again = chain_of("hangzhou", log)
    assert again.light_block(1).hash == node.chain.light_block(1).hash
