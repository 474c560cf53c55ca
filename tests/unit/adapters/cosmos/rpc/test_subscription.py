from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.rpc.subscription import QUIET, Hints
from adapters.cosmos.rpc.transport import Rpc
from adapters.sdk.backoff import FIRST
from hub.core.time import SECOND, Duration
from tests.harness.clock import WITHIN_S, ManualClock, until
from tests.harness.comet_rpc import CHAIN, NOWHERE, ScriptedNode, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def hints(
    *nodes: ScriptedNode, before: tuple[str, ...] = ()
) -> AsyncIterator[tuple[Hints, Rpc, ManualClock]]:
    clock = ManualClock()
    async with served(*nodes) as urls:
        rpc = Rpc(CHAIN, (*before, *urls), clock)
        one = Hints(rpc, clock)
        try:
            yield one, rpc, clock
        finally:
            await one.stop()
            await rpc.close()


async def test_a_new_block_is_told_and_each_one_again() -> None:
    node = ScriptedNode()
    async with hints(node) as (one, _, _):
        first = one.news()
        await until(lambda: node.sockets)
        assert node.subscribed == ["tm.event='NewBlockHeader'"]
        assert not first.is_set()
        await node.announce(7)
        await until(first.is_set)
        second = one.news()
        assert not second.is_set()
        await node.announce(8)
        await until(second.is_set)
    assert node.dialled == 1


async def test_a_connection_that_ends_is_dialled_again() -> None:
    node = ScriptedNode()
    async with hints(node) as (one, _, clock):
        one.news()
        for count in (1, 2, 3):
            await until(lambda: node.sockets)
            await node.sockets.pop().close()
            await until(lambda: clock.is_awaited)
            assert node.dialled == count
            await clock.advance(Duration(2 * FIRST * count))
        news = one.news()
        await until(lambda: node.sockets)
        await node.announce(9)
        await until(news.is_set)


async def test_a_node_that_refuses_is_dialled_later_and_later() -> None:
    node = ScriptedNode()
    node.subscription = {"error": {"code": -32603, "message": "too many"}}
    async with hints(node) as (one, _, clock):
        one.news()
        dialled: list[int] = []
        async with asyncio.timeout(WITHIN_S):
            while len(dialled) < 5:
                if node.dialled > len(dialled):
                    dialled.append(clock.now())
                await clock.advance(Duration(FIRST // 4))
    waited = [after - before for before, after in pairwise(dialled)]
    assert all(wait >= FIRST << at for at, wait in enumerate(waited))


async def test_a_node_that_is_not_there_is_dialled_again() -> None:
    node = ScriptedNode()
    async with hints(node, before=(NOWHERE,)) as (one, rpc, clock):
        one.news()
        for _ in range(20):
            await clock.advance(Duration(SECOND))
        rpc.prefer(rpc.endpoints[1])
        async with asyncio.timeout(WITHIN_S):
            while not node.sockets:
                await clock.advance(Duration(SECOND))


async def test_the_preferred_node_is_dialled() -> None:
    node = ScriptedNode()
    async with hints(node, before=(NOWHERE,)) as (one, rpc, clock):
        news = one.news()
        await until(lambda: clock.is_awaited)
        rpc.prefer(rpc.endpoints[1])
        await clock.advance(Duration(SECOND))
        await until(lambda: node.sockets)
        await node.announce(9)
        await until(news.is_set)


async def test_a_node_that_refuses_the_subscription_is_asked_later() -> None:
    node = ScriptedNode()
    node.subscription = {"error": {"code": -32603, "message": "too many"}}
    async with hints(node) as (one, _, clock):
        news = one.news()
        await until(lambda: node.sockets)
        await until(lambda: clock.is_awaited)
        node.subscription = {"result": {}}
        node.sockets.clear()
        await clock.advance(Duration(SECOND))
        await until(lambda: node.sockets)
        await node.announce(9)
        await until(news.is_set)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, '{"result":7}', "x" * 2**21])
async def test_what_is_not_an_event_is_no_hint_and_ends_the_connection(text: str) -> None:
    node = ScriptedNode()
    async with hints(node) as (one, _, clock):
        news = one.news()
        await until(lambda: node.sockets)
        await node.sockets.pop().send_str(text)
        async with asyncio.timeout(WITHIN_S):
            while node.dialled == 1:
                await clock.advance(Duration(SECOND // 10))
        assert not news.is_set()


async def test_bytes_end_the_connection() -> None:
    node = ScriptedNode()
    async with hints(node) as (one, _, clock):
        one.news()
        await until(lambda: node.sockets)
        await node.sockets.pop().send_bytes(b"{}")
        await until(lambda: clock.is_awaited)
        await clock.advance(Duration(SECOND))
        await until(lambda: node.dialled == 2)


async def test_a_connection_that_says_nothing_for_long_is_given_up() -> None:
    node = ScriptedNode()
    async with hints(node) as (one, _, clock):
        one.news()
        await until(lambda: node.sockets)
        await until(lambda: clock.is_awaited)
        await clock.advance(Duration(QUIET - 1))
        assert node.dialled == 1
        await clock.advance(Duration(1))
        await until(lambda: clock.is_awaited)
        await clock.advance(Duration(SECOND))
        await until(lambda: node.dialled == 2)


async def test_it_can_be_stopped_before_and_twice_and_begun_again() -> None:
    node = ScriptedNode()
    async with hints(node) as (one, _, _):
        await one.stop()
        one.news()
        await until(lambda: node.sockets)
        await one.stop()
        await one.stop()
        one.news()
        await until(lambda: node.dialled == 2)
