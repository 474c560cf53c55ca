from __future__ import annotations

import asyncio

import pytest

from adapters.cosmos.client_messages import client_state_any, consensus_state_any
from adapters.cosmos.openings import CreatedFor
from adapters.cosmos.tx.messages import BankSend, CreateClient
from hub.core.errors import ChainUnreachable, ClientNotFound, RecordCorrupt
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.paths import consensus_state_key
from tests.harness.comet_node import unreachable
from tests.harness.cosmos_executions import ANCHOR, CLIENT, FIRST, Bench, bench, key

MADE = ClientId("07-tendermint-1")
NEXT = ClientId("07-tendermint-2")
CREATE = CreateClient(
    client_state=client_state_any(ANCHOR), consensus_state=consensus_state_any(FIRST.state)
)
PROCESSED = consensus_state_key(MADE, ANCHOR.height) + b"/processedHeight"


def created_for(it: Bench) -> CreatedFor:
    """What an adapter with all keys of the bench but its second knows."""
    return CreatedFor(it.chain, [one.key for one in it.submitter.signers if one.key != key(2)])


async def made(it: Bench, *memos: str) -> None:
    """Clients are created in one block, among other transactions."""
    signer = it.submitter.signers[0]
    it.gas.learned([CREATE.type_url], 200_000)
    for memo in memos:
        await it.submitter.send(signer, [[BankSend("cosmos1x", ())]], memo="noise")
        await it.submitter.send(signer, [[CREATE]], memo=memo)
    await it.blocks_pass(3)


async def test_a_client_is_of_the_memo_that_created_it() -> None:
    async with bench() as it:
        await made(it, "openings/1", "openings/2")
        found = created_for(it)
        assert await found.opening(MADE) == "openings/1"
        assert await found.opening(NEXT) == "openings/2"


async def test_it_is_looked_up_once() -> None:
    async with bench() as it:
        await made(it, "openings/1")
        found = created_for(it)
        before = len(it.chain.called("transactions"))
        assert [await found.opening(MADE) for _ in range(3)] == ["openings/1"] * 3
        assert len(it.chain.called("transactions")) == before + 1
        found.remember(NEXT, "openings/9")
        assert await found.opening(NEXT) == "openings/9"


async def test_a_client_that_no_transaction_made_is_of_none() -> None:
    async with bench() as it:
        await it.blocks_pass(1)
        assert await created_for(it).opening(CLIENT) == ""


async def test_a_block_that_is_pruned_tells_nothing_any_more() -> None:
    async with bench() as it:
        await made(it, "openings/1")
        found = created_for(it)
        it.chain.earliest = it.chain.latest
        assert await found.opening(MADE) == ""
        it.chain.earliest = 1
        assert await found.opening(MADE) == "", "it is not looked for again"


async def test_a_node_that_is_behind_is_asked_again() -> None:
    async with bench() as it:
        await made(it, "openings/1")
        found = created_for(it)
        number = it.chain.store[PROCESSED]
        it.chain.store[PROCESSED] = b"0-999"
        assert await found.opening(MADE) == ""
        it.chain.store[PROCESSED] = number
        assert await found.opening(MADE) == "openings/1"


@pytest.mark.parametrize("stored", [b"", b"0-", b"0-x", b"\xff", b"0-" + b"9" * 5000, b"0--1"])
async def test_a_height_that_is_none_tells_nothing(stored: bytes) -> None:
    async with bench() as it:
        await made(it, "openings/1")
        it.chain.store[PROCESSED] = stored
        assert await created_for(it).opening(MADE) == ""


async def test_what_the_chain_does_not_answer_is_told_and_asked_again() -> None:
    async with bench() as it:
        await made(it, "openings/1")
        found = created_for(it)
        for method in ("store/ibc/key", "results", "transactions"):
            it.chain.failures[method].append(unreachable())
            with pytest.raises(ChainUnreachable):
                await found.opening(MADE)
        assert await found.opening(MADE) == "openings/1"
        with pytest.raises(ClientNotFound):
            await found.opening(ClientId("07-tendermint-88"))


async def test_results_of_other_transactions_are_told() -> None:
    async with bench() as it:
        await made(it, "openings/1")
        block = int(it.chain.store[PROCESSED].rpartition(b"-")[2])
        transactions = it.chain.transactions

        async def fewer(number: int) -> tuple[bytes, ...]:
            return (await transactions(number))[:-1]

        it.chain.transactions = fewer  # type: ignore[method-assign]
        assert it.chain.blocks[block].transactions
        with pytest.raises(RecordCorrupt):
            await created_for(it).opening(MADE)


async def test_a_refused_creation_counts_for_nobody() -> None:
    async with bench() as it:
        it.gas.learned([CREATE.type_url], 80_000)
        signer = it.submitter.signers[0]
        await it.submitter.send(signer, [[CREATE]], memo="openings/poor")
        await it.blocks_pass(3)
        assert it.chain.landed[0][2].code
        task = asyncio.ensure_future(it.submitter.send(signer, [[CREATE]], memo="openings/1"))
        await it.chain.drive(task)
        await it.blocks_pass(3)
        assert await created_for(it).opening(MADE) == "openings/1"


async def test_the_first_of_several_states_tells_the_block() -> None:
    async with bench() as it:
        await made(it, "openings/1")
        await it.blocks_pass(2)
        it.chain.add_consensus_state(MADE, Height(1, 50))
        assert await created_for(it).opening(MADE) == "openings/1"


async def test_a_client_that_a_stranger_created_is_of_no_opening() -> None:
    async with bench(keys=2) as it:
        mallory = it.submitter.signers[1]
        await it.submitter.send(mallory, [[CREATE]], memo="openings/1")
        await it.blocks_pass(3)
        await made(it, "openings/1")
        found = created_for(it)
        assert await found.opening(MADE) == ""
        assert await found.opening(NEXT) == "openings/1"


async def test_a_block_too_large_to_be_read_tells_nothing() -> None:
    async with bench() as it:
        await made(it, "openings/1")
        it.chain.huge.add(int(it.chain.store[PROCESSED].rpartition(b"-")[2]))
        assert await created_for(it).opening(MADE) == ""
