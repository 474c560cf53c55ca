from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from adapters.cosmos.blocks.follower import LONGEST_PAUSE, BlockFollower
from adapters.sdk.chain import Head
from hub.core.errors import HeaderNotFound, TransactionLost
from hub.core.height import Height
from hub.core.packet import MAX_SEQUENCE
from hub.core.ranges import RangeSet
from tests.harness.clock import ManualClock, settle, until
from tests.harness.comet_node import (
    CLIENT,
    OTHER_CLIENT,
    ScriptedNode,
    packet,
    sent,
    settled,
    time_of,
    tx_result,
    unreachable,
    written,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from adapters.sdk.chain import Item

ALL = RangeSet.span(1, MAX_SEQUENCE + 1)


class Followed:
    """A chain of ten blocks with a follower that runs."""

    def __init__(self, height: int = 10) -> None:
        self.node = ScriptedNode(height)
        self.clock = ManualClock()
        self.blocks = BlockFollower(self.node, self.clock)
        self.task = asyncio.create_task(self.blocks.run())

    async def reach(self, number: int) -> Head:
        """The head as soon as it is *number*."""
        await until(lambda: self.blocks.latest >= number)
        return await self.blocks.head(None)

    async def packets(self, at: int = 0, wanted: RangeSet = ALL) -> list[int]:
        height = Height(1, at or self.blocks.latest)
        return numbers(await self.blocks.packets(CLIENT, wanted, 256, height))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def numbers(items: tuple[Item, ...]) -> list[int]:
    return [item.sequence for item in items]


@pytest.fixture
async def followed() -> AsyncIterator[Followed]:
    made = Followed()
    await made.reach(10)
    yield made
    await made.stop()


async def test_it_starts_at_the_newest_block(followed: Followed) -> None:
    assert await followed.blocks.head(None) == Head(Height(1, 10), None)
    assert followed.blocks.latest_time == time_of(10)
    assert followed.node.called("results") == []


async def test_the_head_is_waited_for_before_the_first_block() -> None:
    node = ScriptedNode(0)
    blocks = BlockFollower(node, ManualClock())
    running = asyncio.create_task(blocks.run())
    waiting = asyncio.create_task(blocks.head(None))
    await settle()
    assert not waiting.done()
    node.produce()
    assert await waiting == Head(Height(1, 1), None)
    running.cancel()


async def test_the_head_tells_which_clients_were_active_since(followed: Followed) -> None:
    waiting = asyncio.create_task(followed.blocks.head(Height(1, 10)))
    await settle()
    assert not waiting.done()
    followed.node.produce(*followed.node.send(CLIENT, 2))
    assert await waiting == Head(Height(1, 11), frozenset())
    followed.node.produce(written(OTHER_CLIENT, 4))
    assert await followed.blocks.head(Height(1, 11)) == Head(Height(1, 12), frozenset({CLIENT}))
    followed.node.produce(settled(CLIENT, 1))
    await followed.reach(13)
    assert await followed.blocks.head(Height(1, 10)) == Head(
        Height(1, 13), frozenset({CLIENT, OTHER_CLIENT})
    )
    assert await followed.blocks.head(Height(1, 9)) == Head(Height(1, 13), None)


async def test_a_node_that_is_behind_is_not_believed_about_what_stands(followed: Followed) -> None:
    followed.node.produce(*followed.node.send(CLIENT, 3))
    followed.node.produce(written(CLIENT, 7))
    at = (await followed.reach(12)).height
    followed.node.produce()
    await followed.reach(13)
    followed.node.behind = 3
    with pytest.raises(HeaderNotFound):
        await followed.packets()
    with pytest.raises(HeaderNotFound):
        await followed.blocks.acknowledgements(CLIENT, ALL, 256, at)
    followed.node.behind = 0
    assert await followed.packets() == [1, 2, 3]
    at = (await followed.blocks.head(None)).height
    assert numbers(await followed.blocks.acknowledgements(CLIENT, ALL, 256, at)) == [7]


async def test_what_is_asked_from_long_ago_is_not_known(followed: Followed) -> None:
    for _ in range(300):
        followed.node.produce()
    await followed.reach(310)
    assert (await followed.blocks.head(Height(1, 30))).active is None
    assert (await followed.blocks.head(Height(1, 60))).active == frozenset()


async def test_a_block_is_processed_when_the_next_header_is_there(followed: Followed) -> None:
    assert await followed.packets() == []
    followed.node.produce(*followed.node.send(CLIENT, 2))
    await followed.reach(11)
    assert await followed.packets() == []
    followed.node.produce()
    await followed.reach(12)
    assert await followed.packets() == [1, 2]
    assert await followed.packets(at=11) == []
    assert followed.blocks.latest_time == time_of(12)


async def test_acknowledgements_are_told_beside_packets(followed: Followed) -> None:
    height = Height(1, 12)
    assert await followed.blocks.acknowledgements(CLIENT, ALL, 256, height) == ()
    followed.node.produce(written(CLIENT, 4), *followed.node.send(CLIENT, 1))
    followed.node.produce()
    await followed.reach(12)
    assert numbers(await followed.blocks.acknowledgements(CLIENT, ALL, 256, height)) == [4]
    assert [item.content for item in await followed.blocks.packets(CLIENT, ALL, 256, height)] == [
        packet(CLIENT, 1)
    ]


async def test_no_block_is_left_out_while_the_node_was_away(followed: Followed) -> None:
    await followed.packets()
    followed.node.failures["above"] = [unreachable()] * 5
    followed.node.produce()
    await followed.reach(11)
    for _ in range(20):
        followed.node.produce(*followed.node.send(CLIENT, 1))
    followed.node.failures["results"] = [unreachable()] * 3
    followed.node.failures["header_fields"] = [unreachable()] * 2
    for _ in range(12):
        await followed.clock.advance(LONGEST_PAUSE)
    assert (await followed.reach(31)).height == Height(1, 31)
    assert await followed.packets() == list(range(1, 20))
    read = followed.node.called("results")
    assert sorted(set(read)) == list(range(10, 31))
    assert read == sorted(read)


async def test_results_that_the_next_header_denies_are_not_believed(followed: Followed) -> None:
    outcome = asyncio.create_task(followed.blocks.outcome(sha256(b"tx").digest(), 20))
    await settle()
    followed.node.forged.add(11)
    followed.node.produce(transactions=[(b"tx", tx_result())])
    followed.node.produce()
    await until(lambda: followed.clock.is_awaited)
    assert followed.blocks.latest == 11
    assert not outcome.done()
    followed.node.forged.clear()
    await followed.clock.advance(LONGEST_PAUSE)
    assert (await outcome).code == 0
    assert followed.blocks.latest == 12


async def test_a_node_that_contradicts_itself_is_left_for_another(followed: Followed) -> None:
    followed.node.is_alone = False
    followed.node.forged.add(10)
    followed.node.produce()
    await until(lambda: followed.clock.is_awaited)
    assert len(followed.node.called("doubt")) == 1
    await followed.clock.advance(LONGEST_PAUSE)
    assert followed.blocks.latest == 11
    assert len(followed.node.called("doubt")) == 1


async def test_a_node_that_is_away_is_not_doubted(followed: Followed) -> None:
    followed.node.failures["results"] = [unreachable()]
    followed.node.produce()
    await until(lambda: followed.clock.is_awaited)
    assert followed.node.called("doubt") == []


async def test_a_node_that_claims_blocks_which_it_has_not_is_left_for_another() -> None:
    followed = Followed(0)
    followed.node.is_alone = False
    followed.node.claimed = 10**12
    await until(lambda: followed.clock.is_awaited)
    assert followed.blocks.latest == 0
    followed.node.produce()
    await followed.clock.advance(LONGEST_PAUSE)
    assert followed.blocks.latest == 1
    await followed.stop()


async def test_a_malformed_event_stops_the_block_until_another_node_answers(
    followed: Followed,
) -> None:
    await followed.packets()
    bad = followed.node.produce(sent(CLIENT, 1, encoded_packet_hex="zz"))
    followed.node.produce()
    await until(lambda: followed.clock.is_awaited)
    assert followed.blocks.latest == 11
    bad.transactions[0] = (b"tx", tx_result([sent(CLIENT, 1)]))
    await followed.clock.advance(LONGEST_PAUSE)
    assert await followed.packets() == [1]


async def test_pruned_blocks_are_passed_over_and_what_stands_is_listed_anew(
    followed: Followed,
) -> None:
    await followed.packets()
    followed.node.failures["above"] = [unreachable()]
    followed.node.produce(*followed.node.send(CLIENT, 3))
    await followed.reach(11)
    lost = asyncio.create_task(followed.blocks.outcome(b"\x00" * 32, 20))
    await settle()
    for _ in range(10):
        followed.node.produce(*followed.node.send(CLIENT, 1))
    followed.node.produce(settled(CLIENT, 2))
    followed.node.produce()
    followed.node.earliest = 18
    await followed.clock.advance(LONGEST_PAUSE)
    await followed.reach(23)
    assert (await followed.blocks.head(Height(1, 11))).active is None
    assert (await followed.blocks.head(Height(1, 18))).active == frozenset({CLIENT})
    # Block 18 sent sequence 10; those before it stand, but nobody has their blocks any more.
    assert await followed.packets() == [10, 11, 12, 13]
    with pytest.raises(TransactionLost):
        await lost


async def test_a_block_too_large_to_be_read_is_passed_over(followed: Followed) -> None:
    await followed.packets()
    followed.node.produce(*followed.node.send(CLIENT, 2))
    await followed.reach(11)
    lost = asyncio.create_task(followed.blocks.outcome(b"\x00" * 32, 14))
    await settle()
    followed.node.huge.add(12)
    followed.node.produce(*followed.node.send(CLIENT, 2), settled(CLIENT, 1))
    followed.node.produce(*followed.node.send(CLIENT, 1))
    followed.node.produce()
    followed.node.produce()
    with capture_logs() as logs:
        await followed.reach(15)
        with pytest.raises(TransactionLost):
            await lost
        for _ in range(3):
            await followed.packets()
        assert await followed.packets() == [2, 5], "what came in it is missing, and nothing else"
    told = [one for one in logs if one["event"] == "block_passed_over"]
    assert [(one["block"], one["log_level"]) for one in told] == [(12, "warning")]
    missing = [one for one in logs if one["event"] == "contents_missing"]
    assert sum(one["count"] for one in missing) == 2
    assert (await followed.blocks.head(Height(1, 11))).active is None


async def test_a_header_that_the_node_does_not_have_yet_is_waited_for(followed: Followed) -> None:
    followed.node.failures["header_fields"] = [HeaderNotFound(client="suzhou-1", height=11)]
    followed.node.produce()
    await until(lambda: followed.clock.is_awaited)
    assert followed.blocks.latest == 10
    await followed.clock.advance(LONGEST_PAUSE)
    assert followed.blocks.latest == 11


async def test_an_outcome_is_told_once_the_next_header_shows_it(followed: Followed) -> None:
    outcome = asyncio.create_task(followed.blocks.outcome(sha256(b"tx").digest(), 20))
    await settle()
    failed = replace(tx_result([sent(CLIENT, 1)], code=5), gas_used=77)
    followed.node.produce(transactions=[(b"tx", failed)])
    await followed.reach(11)
    assert not outcome.done()
    followed.node.produce()
    assert (await outcome).gas_used == 77
    assert await followed.packets() == []


async def test_an_outcome_of_a_block_that_passed_is_proven_by_the_next_header(
    followed: Followed,
) -> None:
    followed.node.produce(transactions=[(b"tx", tx_result())])
    followed.node.produce()
    await followed.reach(12)
    followed.node.forged.add(11)
    outcome = asyncio.create_task(followed.blocks.outcome(sha256(b"tx").digest(), 20))
    await until(lambda: followed.clock.is_awaited)
    assert not outcome.done()
    followed.node.forged.clear()
    await followed.clock.advance(LONGEST_PAUSE)
    assert (await outcome).code == 0


async def test_a_client_that_is_doubted_is_listed_anew(followed: Followed) -> None:
    await followed.packets()
    followed.node.produce(*followed.node.send(CLIENT, 2))
    followed.node.hidden.add(12)
    followed.node.produce(settled(CLIENT, 1))
    followed.node.produce()
    await followed.reach(13)
    assert await followed.packets() == [1, 2]
    followed.blocks.doubt(CLIENT)
    assert await followed.packets() == [2]


async def test_blocks_that_are_disbelieved_are_read_again_of_another_node(
    followed: Followed,
) -> None:
    followed.node.produce(*followed.node.send(CLIENT, 2))
    followed.node.produce()
    await followed.reach(12)
    assert await followed.packets() == [1, 2]
    before = len(followed.node.called("results"))
    followed.blocks.disbelieve()
    assert followed.node.called("doubt")
    assert await followed.packets() == [1, 2]
    assert len(followed.node.called("results")) > before


async def test_when_it_ends_its_searches_end(followed: Followed) -> None:
    followed.node.produce(*followed.node.send(CLIENT, 3))
    await followed.reach(11)
    followed.node.gate = asyncio.Event()
    call = asyncio.create_task(followed.packets(at=12))
    await until(lambda: followed.node.called("results"))
    await followed.stop()
    assert await call == []
    names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
    assert not any("History" in name for name in names)
