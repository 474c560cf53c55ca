"""Sets of sequences against Python's own sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.core.ranges import RangeSet

SETS = st.sets(st.integers(0, 30))


def _is_canonical(found: RangeSet) -> bool:
    borders = [border for span in found.ranges for border in span]
    return borders == sorted(set(borders))


@given(SETS, SETS)
def test_sets_are_joined_cut_and_met_as_sets_are(left: set[int], right: set[int]) -> None:
    one, other = RangeSet.of(left), RangeSet.of(right)
    for found, want in (
        (one, left),
        (one | other, left | right),
        (one - other, left - right),
        (one & other, left & right),
    ):
        assert list(found) == sorted(want)
        assert len(found) == len(want)
        assert bool(found) == bool(want)
        assert found == RangeSet.of(want)
        assert _is_canonical(found)


@given(SETS, st.integers(-2, 35), st.integers(-2, 35))
def test_parts_of_a_set_are_those_of_a_set(numbers: set[int], first: int, count: int) -> None:
    found = RangeSet.of(numbers)
    assert (first in found) == (first in numbers)
    assert set(found.take(count)) == set(sorted(numbers)[: max(count, 0)])
    holes = set(range(first, max(numbers) + 1)) - numbers if numbers else set()
    assert set(found.holes(first)) == holes
    assert found.end == (max(numbers) + 1 if numbers else 0)
    if first < count:
        spans = found.overlapping(first, count)
        inside = {n for low, high in spans for n in range(low, high)} & set(range(first, count))
        assert inside == numbers & set(range(first, count))
        assert all(set(range(*span)) & set(range(first, count)) for span in spans)


@given(st.lists(st.integers(0, 12)))
def test_a_set_grown_one_by_one_is_the_set_of_all(numbers: list[int]) -> None:
    found = RangeSet()
    for number in numbers:
        found |= RangeSet.of([number])
        assert _is_canonical(found)
    assert found == RangeSet.of(numbers)
