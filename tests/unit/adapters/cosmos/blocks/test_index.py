from __future__ import annotations

from adapters.cosmos.blocks.events import ENTRY_BYTES, BlockFacts
from adapters.cosmos.blocks.index import MAX_BLOCKS, BlockCache, Track
from hub.core.packet import MAX_SEQUENCE
from hub.core.ranges import EMPTY, RangeSet
from tests.harness.comet_node import CLIENT

ALL = RangeSet.span(1, MAX_SEQUENCE + 1)


def span(first: int, last: int) -> RangeSet:
    return RangeSet.span(first, last + 1)


def test_what_was_sent_is_ready_under_the_header_after_its_block() -> None:
    track = Track()
    assert track.see_sent(7, range(1, 4), ()) == EMPTY
    assert track.see_sent(9, range(4, 6), ()) == EMPTY
    assert track.ready(ALL, 7, 10) == []
    assert track.ready(ALL, 8, 10) == [(7, span(1, 3))]
    assert track.ready(ALL, 10, 10) == [(9, span(4, 5)), (7, span(1, 3))]
    assert track.ready(ALL, 10, 4) == [(9, span(4, 4)), (7, span(1, 3))]
    assert track.ready(span(2, 4), 10, 2) == [(7, span(2, 3))]


def test_what_is_too_new_takes_no_place_of_what_is_ready() -> None:
    track = Track()
    track.see_written(7, [5, 6])
    track.see_written(8, [1, 2, 3])
    assert track.ready(ALL, 8, 2) == [(7, span(5, 6))]


def test_what_was_settled_stands_no_more() -> None:
    track = Track()
    track.see_sent(7, range(1, 6), ())
    track.see_sent(8, (), {2, 3})
    assert track.standing == RangeSet.of([1, 4, 5])
    assert track.ready(ALL, 9, 10) == [(7, RangeSet.of([1, 4, 5]))]


def test_sent_and_settled_in_one_block_never_stands() -> None:
    track = Track()
    track.see_sent(7, [1, 2], {1})
    assert track.standing == span(2, 2)


def test_a_list_that_is_older_than_a_block_brings_nothing_back() -> None:
    track = Track()
    track.see_sent(7, (), {2, 3})
    track.add_listed(span(1, 4))
    assert track.standing == RangeSet.of([1, 4])


def test_what_is_listed_is_sought_until_it_is_located() -> None:
    track = Track()
    track.add_listed(span(1, 5))
    track.see_sent(9, [6], ())
    assert track.sought(ALL, 3) == span(1, 3)
    assert track.is_sought(5)
    assert not track.is_sought(6)
    assert track.locate(4, [0, 4, 5, 6, 77]) == span(4, 5)
    assert track.sought(ALL, 9) == span(1, 3)
    assert track.ready(ALL, 10, 9) == [(9, span(6, 6)), (4, span(4, 5))]


def test_what_is_missing_is_neither_sought_nor_ready_until_it_is_located() -> None:
    track = Track()
    track.add_listed(span(1, 3))
    track.missing = span(1, 2)
    assert track.sought(ALL, 9) == span(3, 3)
    track.locate(4, [2])
    assert track.missing == span(1, 1)
    assert track.ready(ALL, 9, 9) == [(4, span(2, 2))]
    track.missing |= span(2, 2)
    assert track.ready(ALL, 9, 9) == []


def test_a_gap_between_sequences_is_asked_for_again() -> None:
    track = Track()
    track.listed = ALL
    assert track.see_sent(7, [3, 4], ()) == EMPTY
    assert track.see_sent(8, [7, 9], ()) == RangeSet.of([5, 6, 8])
    assert ALL - track.listed == RangeSet.of([5, 6, 8])
    assert track.see_sent(9, [10], ()) == EMPTY


def test_blocks_in_which_nothing_stands_any_more_are_forgotten() -> None:
    track = Track()
    for height in range(1, 200):
        track.see_sent(height, [height], {height - 1} if height > 1 else ())
    assert track.standing == span(199, 199)
    assert len(track._blocks) <= 64


def test_the_oldest_blocks_are_sought_again_where_there_are_too_many() -> None:
    track = Track()
    for height in range(1, MAX_BLOCKS + 10):
        track.see_written(height, [height])
    assert len(track._blocks) <= MAX_BLOCKS
    assert len(track.standing) == MAX_BLOCKS + 9
    forgotten = track.sought(ALL, MAX_BLOCKS)
    assert forgotten.first == 1
    assert len(forgotten) == MAX_BLOCKS // 2
    track.locate(1, [1])
    assert track.ready(ALL, MAX_BLOCKS, 1) == [(1, span(1, 1))]


def facts(height: int, size: int) -> BlockFacts:
    return BlockFacts(height, sent={CLIENT: {1: bytes(size - ENTRY_BYTES)}})


def test_the_cache_keeps_what_was_used_last_within_its_bound() -> None:
    cache = BlockCache(limit=1_000)
    for height in (1, 2, 3):
        cache.put(facts(height, 300))
    assert cache.get(1) is not None
    cache.put(facts(4, 300))
    assert [height for height in range(1, 5) if cache.get(height)] == [1, 3, 4]


def test_a_block_put_again_counts_once() -> None:
    cache = BlockCache(limit=1_000)
    for _ in range(9):
        cache.put(facts(1, 400))
    cache.put(facts(2, 400))
    assert cache.get(1) is not None


def test_one_block_is_kept_whatever_its_size() -> None:
    cache = BlockCache(limit=1_000)
    cache.put(facts(1, 300))
    cache.put(facts(2, 5_000))
    assert cache.get(1) is None
    assert cache.get(2) is not None
