from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.ranges import EMPTY, RangeSet
from hub.registry.narrow import MAX_RANGES, RANGES_AFTER_CLOSING, NarrowSet

NUMBERS = st.integers(0, 400)
BATCHES = st.lists(st.sets(NUMBERS, min_size=1, max_size=25), max_size=40)


def odd(count: int) -> RangeSet:
    """The first *count* odd numbers: that many ranges."""
    return RangeSet.of(range(1, 2 * count, 2))


def test_a_set_is_stored_as_it_is_up_to_the_limit() -> None:
    kept = NarrowSet().add(odd(MAX_RANGES))
    assert kept == NarrowSet(odd(MAX_RANGES), EMPTY)
    assert kept.truth == odd(MAX_RANGES)


def test_one_range_more_closes_the_lowest_holes() -> None:
    kept = NarrowSet().add(odd(MAX_RANGES + 1))
    assert len(kept.stored.ranges) == RANGES_AFTER_CLOSING
    last = 2 * (MAX_RANGES + 1 - RANGES_AFTER_CLOSING)
    assert kept.closed == RangeSet.of(range(2, last + 1, 2))
    assert kept.truth == odd(MAX_RANGES + 1)


def test_a_number_below_all_others_is_no_hole_before_the_first() -> None:
    kept = NarrowSet().add(RangeSet.of([100])).add(odd(3))
    assert kept.closed == EMPTY


def test_a_closed_hole_is_filled() -> None:
    kept = NarrowSet().add(odd(MAX_RANGES + 1)).add(RangeSet.of([2, 6]))
    assert kept.truth == odd(MAX_RANGES + 1) | RangeSet.of([2, 6])
    assert 2 not in kept.closed
    assert 4 in kept.closed


def test_needless_holes_are_forgotten_when_they_are_closed() -> None:
    kept = NarrowSet().add(odd(MAX_RANGES + 1), needless=RangeSet.span(2, 5))
    assert 2 not in kept.closed
    assert 2 in kept.truth
    assert 6 in kept.closed


@pytest.mark.parametrize("far", [2**62, 2**63 - 2])
def test_a_hole_of_any_size_costs_nothing(far: int) -> None:
    kept = NarrowSet().add(RangeSet.of([1, far]))
    for _ in range(3):
        kept = kept.add(odd(MAX_RANGES))
    assert kept.truth == odd(MAX_RANGES) | RangeSet.of([far])


def test_what_is_removed_makes_ranges_up_to_the_limit_then_closed_holes() -> None:
    whole = NarrowSet().add(RangeSet.span(0, 400))
    few = whole.remove(odd(MAX_RANGES - 1))
    assert (len(few.stored.ranges), few.closed) == (MAX_RANGES, EMPTY)
    many = whole.remove(odd(MAX_RANGES) | RangeSet.of([900]))
    assert (many.stored, many.closed) == (whole.stored, odd(MAX_RANGES))
    assert few.truth - RangeSet.of([2 * MAX_RANGES - 1]) == many.truth


def test_a_closed_hole_that_is_removed_is_closed_no_more() -> None:
    kept = NarrowSet().add(odd(MAX_RANGES + 1)).remove(RangeSet.span(1, 12))
    assert kept.closed & RangeSet.span(1, 12) == EMPTY
    assert kept.truth == odd(MAX_RANGES + 1) - RangeSet.span(1, 12)


@given(BATCHES)
def test_whatever_comes_and_goes_the_set_is_true_and_narrow(batches: list[set[int]]) -> None:
    kept, truth = NarrowSet(), set[int]()
    for at, batch in enumerate(batches):
        kept = kept.remove(RangeSet.of(batch)) if at % 3 == 2 else kept.add(RangeSet.of(batch))
        truth = truth - batch if at % 3 == 2 else truth | batch
        assert len(kept.stored.ranges) <= MAX_RANGES
        assert set(kept.truth) == truth
        assert not kept.closed & RangeSet.of(truth)
        assert kept.closed - kept.stored == EMPTY


@given(BATCHES)
def test_whatever_comes_in_whatever_order_the_set_is_true_and_narrow(
    batches: list[set[int]],
) -> None:
    kept, truth = NarrowSet(), set[int]()
    for batch in batches:
        kept = kept.add(RangeSet.of(batch))
        truth |= batch
        assert len(kept.stored.ranges) <= MAX_RANGES
        assert set(kept.truth) == truth
        assert not kept.closed & RangeSet.of(truth)
        assert kept.closed - kept.stored == EMPTY
