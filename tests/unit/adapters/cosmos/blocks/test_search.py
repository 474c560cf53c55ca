from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cosmos.blocks.events import read_facts
from adapters.cosmos.blocks.search import BlockSearch, Onset, find_onset
from hub.core.errors import ChainUnreachable, HeaderNotFound, LimitExceeded, RecordCorrupt
from hub.core.lane import Side
from tests.harness.comet_node import (
    CLIENT,
    OTHER_CLIENT,
    ScriptedNode,
    settled,
    unreachable,
    written,
)

if TYPE_CHECKING:
    from adapters.cosmos.blocks.events import BlockFacts


class Probe:
    """Holds from *start* on; tells nothing below *kept*."""

    def __init__(self, start: int, kept: int = 0) -> None:
        self.start = start
        self.kept = kept
        self.asked: list[int] = []

    async def __call__(self, height: int) -> bool | None:
        self.asked.append(height)
        return None if height < self.kept else height >= self.start


@given(
    st.integers(1, 300), st.integers(0, 300), st.integers(0, 400), st.integers(0, 400), st.data()
)
async def test_the_onset_is_found_from_anywhere(
    low: int, length: int, near: int, kept: int, data: st.DataObject
) -> None:
    high = low + length
    start = data.draw(st.integers(low - 5, high + 5))
    kept = min(kept, high)
    probe = Probe(start, kept)
    found = await find_onset(probe, low, high, near)
    if start > high:
        assert found is None
        return
    assert found is not None
    assert found.height == max(start, low, kept)
    assert found.is_exact == (found.height > low and found.height - 1 >= kept)
    assert len(probe.asked) <= 2 * (length + 1).bit_length() + 3
    assert all(low <= height <= high for height in probe.asked)


async def test_neighbours_are_found_in_few_questions() -> None:
    for start in (500_000, 500_001, 500_003, 499_999):
        probe = Probe(start)
        assert await find_onset(probe, 1, 1_000_000, 500_000) == Onset(start, is_exact=True)
        assert len(probe.asked) <= 6


async def test_a_state_that_is_gone_at_the_top_tells_nothing() -> None:
    assert await find_onset(Probe(3, kept=11), 1, 10, 5) is None


class Reader:
    """Reads blocks of a scripted node, and remembers which."""

    def __init__(self, node: ScriptedNode) -> None:
        self.node = node
        self.heights: list[int] = []

    async def __call__(self, height: int) -> BlockFacts:
        self.heights.append(height)
        return read_facts(await self.node.results(height))


def chain_of_packets(blocks: int = 60) -> ScriptedNode:
    """Sequence n is sent in block 10 + n."""
    node = ScriptedNode(10)
    for _ in range(blocks):
        node.produce(*node.send(CLIENT, 1))
    return node


@pytest.mark.parametrize("sequence", [1, 2, 30, 60])
async def test_a_packet_is_found_where_the_next_sequence_rose(sequence: int) -> None:
    node = chain_of_packets()
    reader = Reader(node)
    search = BlockSearch(node, CLIENT, Side.SOURCE, reader)
    assert await search.find(sequence, node.latest)
    assert reader.heights == [10 + sequence]


async def test_an_acknowledgement_is_found_where_it_began_to_stand() -> None:
    node = ScriptedNode(5)
    for sequence in (9, 3, 7):
        node.produce(written(CLIENT, sequence), written(OTHER_CLIENT, 1))
    node.produce(settled(CLIENT, 7))
    reader = Reader(node)
    search = BlockSearch(node, CLIENT, Side.DESTINATION, reader)
    for sequence in (3, 7, 9):
        assert await search.find(sequence, node.latest)
    assert reader.heights == [7, 8, 6]


async def test_what_does_not_stand_yet_is_not_found() -> None:
    node = chain_of_packets()
    search = BlockSearch(node, CLIENT, Side.SOURCE, Reader(node))
    assert not await search.find(61, node.latest)
    assert not await search.find(60, node.latest - 1)
    assert await search.find(60, node.latest)


async def test_packets_in_neighbouring_blocks_cost_few_questions() -> None:
    node = chain_of_packets()
    for _ in range(2_000):
        node.produce()
    search = BlockSearch(node, CLIENT, Side.SOURCE, Reader(node))
    await search.find(1, node.latest)
    node.calls.clear()
    for sequence in range(2, 12):
        await search.find(sequence, node.latest)
    assert len(node.called("query")) <= 4 * 10


async def test_below_the_oldest_state_blocks_are_read_one_by_one() -> None:
    node = chain_of_packets()
    node.earliest_state = 65
    reader = Reader(node)
    search = BlockSearch(node, CLIENT, Side.SOURCE, reader)
    assert await search.find(40, node.latest)
    assert 50 in reader.heights
    assert max(reader.heights) == 65
    assert len(set(reader.heights)) == len(reader.heights)


async def test_blocks_walked_through_are_not_read_again() -> None:
    node = chain_of_packets()
    node.earliest_state = 65
    reader = Reader(node)
    search = BlockSearch(node, CLIENT, Side.SOURCE, reader)
    await search.find(50, node.latest)
    first = set(reader.heights)
    node.earliest_state = 68
    reader.heights.clear()
    await search.find(20, node.latest)
    assert first == set(range(58, 66))
    assert not first & set(reader.heights)
    assert sorted(reader.heights, reverse=True)[:4] == [68, 67, 66, 57]
    assert 30 in reader.heights


async def test_a_walk_goes_on_below_a_block_too_large_to_be_read() -> None:
    node = chain_of_packets()
    node.earliest_state = 65
    node.huge.add(55)
    search = BlockSearch(node, CLIENT, Side.SOURCE, Reader(node))
    assert await search.find(40, node.latest)
    with pytest.raises(HeaderNotFound):
        await search.find(45, node.latest)
    node.earliest_state = 1
    with pytest.raises(LimitExceeded):
        await search.find(45, node.latest)


async def test_a_pruned_block_is_told_with_what_is_needed() -> None:
    node = chain_of_packets()
    node.earliest = node.earliest_state = 40
    search = BlockSearch(node, CLIENT, Side.SOURCE, Reader(node))
    with pytest.raises(HeaderNotFound, match="archive node is needed for 07-tendermint-0 seq") as e:
        await search.find(20, node.latest)
    assert e.value.height == 39


async def test_a_block_that_is_pruned_meanwhile_is_told_too() -> None:
    node = chain_of_packets()
    node.earliest_state = 60
    node.failures["results"] = [HeaderNotFound(client="suzhou-1", height=0)] * 3
    search = BlockSearch(node, CLIENT, Side.SOURCE, Reader(node))
    with pytest.raises(HeaderNotFound, match="sequence 20"):
        await search.find(20, node.latest)


async def test_a_walk_ends_where_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.cosmos.blocks.search.MAX_WALK", 10)
    node = chain_of_packets()
    node.earliest_state = 60
    reader = Reader(node)
    search = BlockSearch(node, CLIENT, Side.SOURCE, reader)
    with pytest.raises(HeaderNotFound) as raised:
        await search.find(20, node.latest)
    assert sorted(reader.heights) == list(range(50, 61))
    assert raised.value.height == 49


async def test_results_that_do_not_show_what_the_states_say_are_corrupt() -> None:
    node = chain_of_packets()
    node.hidden.add(30)
    search = BlockSearch(node, CLIENT, Side.SOURCE, Reader(node))
    with pytest.raises(RecordCorrupt, match="block 30"):
        await search.find(20, node.latest)


async def test_a_node_that_is_down_is_not_mistaken_for_one_that_prunes() -> None:
    node = chain_of_packets()
    node.failures["query"] = [unreachable()]
    search = BlockSearch(node, CLIENT, Side.SOURCE, Reader(node))
    with pytest.raises(ChainUnreachable):
        await search.find(20, node.latest)
    node.earliest_state = 60
    node.failures["results"] = [unreachable()]
    with pytest.raises(ChainUnreachable):
        await search.find(20, node.latest)
    assert await search.find(20, node.latest)
