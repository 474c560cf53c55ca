from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from adapters.cosmos.blocks.events import read_facts
from adapters.cosmos.blocks.history import BELIEVED, DOUBTED, PATIENCE, History
from adapters.sdk.backoff import FIRST
from adapters.sdk.chain import Item
from hub.core.errors import ChainUnreachable, HeaderNotFound
from hub.core.lane import Side
from hub.core.packet import MAX_SEQUENCE
from hub.core.ranges import RangeSet
from hub.core.time import Duration
from tests.harness.clock import ManualClock, settle, until
from tests.harness.comet_node import (
    ACKNOWLEDGEMENT,
    CLIENT,
    OTHER_CLIENT,
    ScriptedNode,
    packet,
    settled,
    unreachable,
    written,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tests.harness.comet_node import ScriptedBlock

ALL = RangeSet.span(1, MAX_SEQUENCE + 1)


class Past:
    """A history whose blocks are seen one by one, as the follower shows them."""

    def __init__(self, height: int = 10) -> None:
        self.node = ScriptedNode(height)
        self.clock = ManualClock()
        self.history = History(self.node, self.clock)

    def see(self, block: ScriptedBlock) -> frozenset[str]:
        return self.history.see(read_facts(block.results))

    async def packets(self, wanted: RangeSet = ALL, limit: int = 256, at: int = 0) -> list[int]:
        """Sequences of the packets that are told; their contents are right."""
        at = at or self.node.latest + 1
        items = await self.history.items(CLIENT, Side.SOURCE, wanted, limit, at)
        assert list(items) == [Item(one.sequence, packet(CLIENT, one.sequence)) for one in items]
        return sequences(items)

    async def answers(self, wanted: RangeSet = ALL, limit: int = 256, at: int = 0) -> list[int]:
        at = at or self.node.latest + 1
        items = await self.history.items(CLIENT, Side.DESTINATION, wanted, limit, at)
        assert all(one.content == ACKNOWLEDGEMENT for one in items)
        return sequences(items)


def sequences(items: Iterable[Item]) -> list[int]:
    return [item.sequence for item in items]


@pytest.fixture
async def past() -> AsyncIterator[Past]:
    made = Past()
    yield made
    await made.history.stop()


async def test_packets_of_blocks_seen_cost_no_question(past: Past) -> None:
    assert await past.packets() == []
    assert past.see(past.node.produce(*past.node.send(CLIENT, 3))) == {CLIENT}
    past.see(past.node.produce(*past.node.send(CLIENT, 2)))
    past.node.calls.clear()
    assert await past.packets() == [1, 2, 3, 4, 5]
    assert await past.packets(limit=4) == [1, 2, 3, 4]
    assert await past.packets(RangeSet.of([2, 5, 9])) == [2, 5]
    assert await past.packets(at=12) == [1, 2, 3]
    assert await past.packets(at=11) == []
    assert past.node.calls == []


async def test_settled_packets_are_left_out(past: Past) -> None:
    await past.packets()
    past.see(past.node.produce(*past.node.send(CLIENT, 5)))
    past.see(past.node.produce(settled(CLIENT, 1), settled(CLIENT, 4, "timeout_packet")))
    assert await past.packets() == [2, 3, 5]


async def test_acknowledgements_are_told_in_the_order_of_their_sequences(past: Past) -> None:
    await past.answers()
    past.see(past.node.produce(written(CLIENT, 7), written(OTHER_CLIENT, 1)))
    past.see(past.node.produce(written(CLIENT, 3)))
    assert await past.answers() == [3, 7]
    assert await past.answers(at=12) == [7]
    assert await past.packets() == []


async def test_what_stood_before_is_listed_once_and_found(past: Past) -> None:
    for _ in range(4):
        past.node.produce(*past.node.send(CLIENT, 50))
    past.node.produce(*[settled(CLIENT, sequence) for sequence in range(1, 101)])
    for _ in range(50):
        past.node.produce()
    assert await past.packets(limit=60) == list(range(101, 161))
    assert await past.packets(RangeSet.span(161, MAX_SEQUENCE + 1)) == list(range(161, 201))
    past.see(past.node.produce(*past.node.send(CLIENT, 1)))
    past.node.calls.clear()
    assert await past.packets() == list(range(101, 202))
    assert past.node.calls == []


async def test_lists_come_in_pages(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.cosmos.blocks.history.PAGE", 10)
    past.node.produce(*past.node.send(CLIENT, 40))
    past.node.produce(*[settled(CLIENT, sequence) for sequence in range(5, 25)])
    assert await past.packets() == [1, 2, 3, 4, *range(25, 41)]
    assert past.node.called("query").count(0) == 3


async def test_only_what_is_wanted_is_listed(past: Past) -> None:
    past.node.produce(*[written(CLIENT, sequence) for sequence in range(1, 40)])
    wanted = RangeSet.of([5, 12]) | RangeSet.span(37, MAX_SEQUENCE + 1)
    assert await past.answers(wanted) == [5, 12, 37, 38, 39]
    past.node.calls.clear()
    assert await past.answers(wanted | RangeSet.of([6])) == [5, 6, 12, 37, 38, 39]
    assert past.node.called("query")[0] == 0


async def test_what_the_list_is_ahead_of_waits_for_its_block(past: Past) -> None:
    await past.answers(RangeSet.of([99]))
    ahead = past.node.produce(written(CLIENT, 2), *past.node.send(CLIENT, 1))
    assert await past.packets(at=11) == []
    assert await past.answers(at=11) == []
    past.see(ahead)
    assert await past.packets() == [1]
    assert await past.answers() == [2]


async def test_what_a_node_left_out_is_asked_for_again(past: Past) -> None:
    await past.packets()
    past.see(past.node.produce(*past.node.send(CLIENT, 2)))
    past.node.produce(*past.node.send(CLIENT, 2))  # never shown
    past.see(past.node.produce(*past.node.send(CLIENT, 2)))
    assert await past.packets() == [1, 2, 3, 4, 5, 6]


async def test_a_list_is_believed_for_a_time(past: Past) -> None:
    await past.answers()
    past.node.produce(written(CLIENT, 2))  # never shown
    assert await past.answers() == []
    await past.clock.advance(BELIEVED)
    assert await past.answers() == [2]


async def test_a_client_that_is_doubted_is_listed_anew(past: Past) -> None:
    await past.packets()
    past.see(past.node.produce(*past.node.send(CLIENT, 3)))
    past.node.produce(settled(CLIENT, 1))  # never shown
    past.see(past.node.produce())
    assert await past.packets() == [1, 2, 3]
    past.history.forget(OTHER_CLIENT)
    assert await past.packets() == [1, 2, 3]
    past.history.forget(CLIENT)
    assert await past.packets() == [2, 3]


async def test_blocks_that_fell_out_of_memory_are_read_again(past: Past) -> None:
    past.history._cache._limit = 1
    await past.packets()
    for _ in range(3):
        past.see(past.node.produce(*past.node.send(CLIENT, 2)))
    assert await past.packets() == [1, 2, 3, 4, 5, 6]
    assert sorted(past.node.called("results")) == [11, 12]


async def test_a_long_search_goes_on_behind_and_tells_when_it_found(past: Past) -> None:
    past.node.produce(*past.node.send(CLIENT, 3))
    past.node.gate = asyncio.Event()
    call = asyncio.create_task(past.packets())
    await until(lambda: past.node.called("results"))
    await past.clock.advance(PATIENCE)
    assert await call == []
    assert await past.packets() == []  # does not wait a second time
    assert past.see(past.node.produce()) == frozenset()
    past.node.gate.set()
    await settle()
    assert past.see(past.node.produce()) == {CLIENT}
    assert past.see(past.node.produce()) == frozenset()
    assert await past.packets() == [1, 2, 3]


async def test_what_cannot_be_had_stands_in_nobodys_way(past: Past) -> None:
    past.node.produce(*past.node.send(CLIENT, 2))
    past.node.produce(*past.node.send(CLIENT, 2))
    past.node.earliest = past.node.earliest_state = 12
    assert await past.packets() == [3, 4]
    past.node.calls.clear()
    assert await past.packets() == [3, 4]
    assert past.node.calls == []
    past.node.earliest = past.node.earliest_state = 1  # another node
    await past.clock.advance(BELIEVED)
    assert await past.packets() == [1, 2, 3, 4]


async def test_a_block_too_large_when_it_is_read_again_holds_up_nobody(past: Past) -> None:
    await past.packets()
    for _ in range(3):
        past.see(past.node.produce(*past.node.send(CLIENT, 1)))
    past.history.forget_contents()
    past.node.huge.add(12)
    assert await past.packets() == [1, 3]


async def test_a_block_that_is_pruned_when_it_is_read_again_holds_up_nobody(past: Past) -> None:
    past.history._cache._limit = 1
    await past.packets()
    past.see(past.node.produce(*past.node.send(CLIENT, 1)))
    past.see(past.node.produce(*past.node.send(CLIENT, 1)))
    past.node.failures["results"] = [HeaderNotFound(client="suzhou-1", height=11)]
    assert await past.packets() == [2]


async def test_a_node_that_hides_what_its_states_say_is_left_for_another(past: Past) -> None:
    past.node.produce(*past.node.send(CLIENT, 2))
    past.node.produce(*past.node.send(CLIENT, 1))
    past.node.hidden.add(11)
    assert await past.packets() == [3]
    past.history.forget(CLIENT)
    past.node.is_alone = False
    past.node.calls.clear()
    assert await past.packets() == [1, 2, 3]
    assert len(past.node.called("doubt")) == 1


async def test_a_node_that_hides_what_it_showed_before_is_left_for_another(past: Past) -> None:
    past.history._cache._limit = 1
    await past.packets()
    for _ in range(2):
        past.see(past.node.produce(*past.node.send(CLIENT, 1)))
    past.node.hidden.add(11)
    past.node.is_alone = False
    assert await past.packets() == [2]
    assert len(past.node.called("doubt")) == 1
    await past.clock.advance(BELIEVED)
    assert await past.packets() == [1, 2]


async def test_what_a_lie_hid_is_asked_for_again_soon_without_new_packets(past: Past) -> None:
    past.node.produce(*past.node.send(CLIENT, 2))
    past.node.hidden.add(11)
    assert await past.packets() == []
    assert past.see(past.node.produce()) == {CLIENT}  # the search is over
    assert past.see(past.node.produce()) == set()
    past.node.hidden.clear()
    assert await past.packets() == []
    await past.clock.advance(FIRST)
    assert past.see(past.node.produce()) == {CLIENT}
    assert await past.packets() == [1, 2]
    assert past.see(past.node.produce()) == {CLIENT}
    assert past.see(past.node.produce()) == set()


async def test_a_lie_that_lasts_is_asked_about_less_and_less_often(past: Past) -> None:
    past.node.produce(*past.node.send(CLIENT, 1))
    past.node.hidden.add(11)
    waits: list[int] = []
    for _ in range(10):
        assert await past.packets() == []
        past.see(past.node.produce())
        waits.append(0)
        while CLIENT not in past.see(past.node.produce()):
            await past.clock.advance(FIRST)
            waits[-1] += FIRST
    assert waits == [min(FIRST << tries, DOUBTED) for tries in range(10)]


async def test_what_is_pruned_is_asked_for_again_after_a_while(past: Past) -> None:
    past.node.produce(*past.node.send(CLIENT, 1))
    for _ in range(5):
        past.node.produce()
    past.node.earliest = past.node.earliest_state = past.node.latest
    assert await past.packets() == []
    past.see(past.node.produce())
    past.node.earliest = past.node.earliest_state = 1
    await past.clock.advance(Duration(BELIEVED - 1))
    assert past.see(past.node.produce()) == set()
    await past.clock.advance(Duration(1))
    assert past.see(past.node.produce()) == {CLIENT}
    assert await past.packets() == [1]


async def test_a_node_that_is_down_at_the_list_is_told(past: Past) -> None:
    past.node.failures["query"] = [unreachable()]
    with pytest.raises(ChainUnreachable):
        await past.packets()
    past.node.produce(*past.node.send(CLIENT, 1))
    assert await past.packets() == [1]


async def test_a_search_that_fails_is_begun_again_at_the_next_block(past: Past) -> None:
    past.node.produce(*past.node.send(CLIENT, 1))
    past.node.failures["status"] = [unreachable()]
    assert await past.packets() == []
    assert past.see(past.node.produce()) == {CLIENT}
    assert await past.packets() == [1]


async def test_ten_thousand_quiet_lanes_cost_a_block_nothing(past: Past) -> None:
    await past.packets()
    past.see(past.node.produce(*past.node.send(OTHER_CLIENT, 3)))
    assert past.history._all.keys() == {(CLIENT, Side.SOURCE)}
    past.node.calls.clear()
    assert await past.packets() == []
    assert past.node.calls == []
