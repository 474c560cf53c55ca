from __future__ import annotations

import asyncio

import pytest

from adapters.cosmos.rpc.node import POLL, STALE_POLLS
from hub.core.errors import ChainUnreachable
from tests.harness.clock import ManualClock, until
from tests.harness.comet_rpc import NOWHERE, ScriptedNode, comet
from tests.harness.cometbft import make_chain, members

BLOCKS = make_chain([members(30, 20, 10)] * 6)


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


async def test_the_lowest_height_is_that_of_the_node_that_keeps_most() -> None:
    pruned, archive = ScriptedNode(BLOCKS[3:]), ScriptedNode(BLOCKS)
    async with comet(pruned, archive, before=(NOWHERE,)) as node:
        assert (await node.status()).earliest == 4
        assert await node.lowest() == 1


async def test_the_lowest_height_is_not_known_where_no_node_answers() -> None:
    async with comet(before=(NOWHERE,)) as node:
        with pytest.raises(ChainUnreachable):
            await node.lowest()
