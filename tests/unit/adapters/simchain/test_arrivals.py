from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from adapters.simchain.arrivals import Arrivals
from adapters.simchain.messages import Transaction
from hub.core.errors import ChainUnreachable
from tests.harness.clock import settle
from tests.harness.simchain import START, chain_of

if TYPE_CHECKING:
    from adapters.simchain.chain import Chain

EMPTY = Transaction(signer="relayer", nonce=0, messages=())


def arrivals_of() -> tuple[Chain, Arrivals]:
    chain = chain_of("hangzhou")
    return chain, Arrivals(chain)


async def test_waiting_for_a_block_ends_with_it() -> None:
    chain, arrivals = arrivals_of()
    waiting = asyncio.ensure_future(arrivals.above(1))
    for height in (1, 2):
        await settle()
        assert not waiting.done()
        assert chain.produce_block(START).height == height
        arrivals.tell(chain.block(height))  # type: ignore[arg-type]  # it was made now
    assert await waiting == 2
    assert await arrivals.above(0) == 2


async def test_all_who_wait_for_a_transaction_hear_of_it_before_those_who_wait_for_the_block() -> (
    None
):
    chain, arrivals = arrivals_of()
    tx_hash = chain.submit(EMPTY)
    with arrivals.outcome(tx_hash) as one, arrivals.outcome(tx_hash) as two:
        waiting = asyncio.ensure_future(arrivals.above(0))
        await settle()
        arrivals.tell(chain.produce_block(START))
        assert one.result() is two.result()
        assert one.result().tx_hash == tx_hash
        await waiting


async def test_what_came_before_is_not_the_outcome() -> None:
    chain, arrivals = arrivals_of()
    tx_hash = chain.submit(EMPTY)
    arrivals.tell(chain.produce_block(START))
    with arrivals.outcome(tx_hash) as found:
        arrivals.tell(chain.produce_block(START))
        assert not found.done()


async def test_one_who_gives_up_takes_nothing_from_others_and_leaves_nothing() -> None:
    chain, arrivals = arrivals_of()
    tx_hash = chain.submit(EMPTY)

    async def wait() -> None:
        with arrivals.outcome(tx_hash) as found:
            await found

    task = asyncio.ensure_future(wait())
    with arrivals.outcome(tx_hash) as other:
        await settle()
        task.cancel()
        await settle()
        arrivals.tell(chain.produce_block(START))
        assert other.done()
    assert arrivals._waiting == {}


async def test_when_it_stops_the_outcome_is_unknown() -> None:
    _, arrivals = arrivals_of()
    with arrivals.outcome(b"some hash") as found:
        arrivals.stop()
        with pytest.raises(ChainUnreachable):
            found.result()
