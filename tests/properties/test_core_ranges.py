"""A set of ranges is a set of integers: the same as Python's own, in every operation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.core.ranges import RangeSet

SETS = st.sets(st.integers(-5, 60))
MAX = 2**63


def well_formed(ranges: RangeSet) -> RangeSet:
    """*ranges*, which are sorted, not empty and never touch."""
    ends = [end for low, high in ranges.ranges for end in (low, high)]
    assert ends == sorted(set(ends))
    return ranges


@given(SETS)
def test_a_set_holds_its_numbers(numbers: set[int]) -> None:
    made = well_formed(RangeSet.of(numbers))
    assert list(made) == sorted(numbers)
    assert len(made) == len(numbers)
    assert bool(made) == bool(numbers)
    assert {number for number in range(-9, 70) if number in made} == numbers


@given(SETS, SETS)
def test_operations_are_those_of_sets(left: set[int], right: set[int]) -> None:
    one, other = RangeSet.of(left), RangeSet.of(right)
    assert set(well_formed(one | other)) == left | right
    assert set(well_formed(one - other)) == left - right
    assert set(well_formed(one & other)) == left & right


@given(st.lists(SETS, max_size=8))
def test_growing_step_by_step_is_growing_at_once(parts: list[set[int]]) -> None:
    grown = RangeSet()
    for part in parts:
        grown = well_formed(grown | RangeSet.of(part))
    assert grown == RangeSet.of(set().union(*parts))


@given(SETS, st.integers(-9, 70))
def test_holes_and_set_fill_the_span(numbers: set[int], first: int) -> None:
    made = RangeSet.of(numbers)
    holes = well_formed(made.holes(first))
    expected = set(range(first, max(numbers) + 1)) - numbers if numbers else set()
    assert set(holes) == expected


@given(SETS, st.integers(-9, 70), st.integers(-9, 70))
def test_overlapping_ranges_are_those_that_share_a_number(
    numbers: set[int], first: int, end: int
) -> None:
    made = RangeSet.of(numbers)
    if first >= end:
        return
    expected = [
        (low, high) for low, high in made.ranges if set(range(low, high)) & set(range(first, end))
    ]
    assert list(made.overlapping(first, end)) == expected


@given(SETS, st.integers(-2, 80))
def test_the_lowest_are_taken(numbers: set[int], count: int) -> None:
    taken = well_formed(RangeSet.of(numbers).take(count))
    assert list(taken) == sorted(numbers)[: max(count, 0)]


@given(st.lists(st.tuples(st.integers(1, MAX - 2), st.integers(1, 2**40)), max_size=6))
def test_wide_ranges_cost_nothing(spans: list[tuple[int, int]]) -> None:
    made = RangeSet()
    for low, width in spans:
        made = well_formed(made | RangeSet.span(low, min(low + width, MAX)))
    assert len(made - made) == 0
    assert len(made.holes(1) | made) == (made.end - 1 if made else 0)
