from __future__ import annotations

import pytest

from hub.core.ranges import EMPTY, RangeSet

DONE = RangeSet(((1, 4), (6, 7), (10, 20)))


@pytest.mark.parametrize(
    ("numbers", "ranges"),
    [
        ([], ()),
        ([5], ((5, 6),)),
        ([3, 1, 2, 2], ((1, 4),)),
        ([1, 3, 5], ((1, 2), (3, 4), (5, 6))),
        ([2**63 - 1, 2**63 - 2], ((2**63 - 2, 2**63),)),
    ],
)
def test_numbers_become_ranges_that_do_not_touch(
    numbers: list[int], ranges: tuple[tuple[int, int], ...]
) -> None:
    assert RangeSet.of(numbers).ranges == ranges


@pytest.mark.parametrize(
    ("first", "end", "ranges"), [(1, 5, ((1, 5),)), (5, 5, ()), (6, 5, ()), (0, 1, ((0, 1),))]
)
def test_a_span_is_empty_where_its_ends_cross(
    first: int, end: int, ranges: tuple[tuple[int, int], ...]
) -> None:
    assert RangeSet.span(first, end).ranges == ranges


def test_a_set_counts_lists_and_finds_its_numbers() -> None:
    inside = [1, 2, 3, 6, *range(10, 20)]
    assert list(DONE) == inside
    assert len(DONE) == len(inside)
    assert [number for number in range(-2, 25) if number in DONE] == inside


def test_only_the_empty_set_is_false() -> None:
    assert DONE
    assert not EMPTY
    assert not RangeSet.of([])
    assert len(EMPTY) == 0
    assert 0 not in EMPTY


def test_a_number_far_from_a_set_stays_apart() -> None:
    ten, three = RangeSet.of([10]), RangeSet.of([3])
    assert (EMPTY | ten) == (ten | EMPTY) == ten
    assert (ten | three).ranges == (three | ten).ranges == ((3, 4), (10, 11))


def test_first_and_end_are_the_borders() -> None:
    assert (DONE.first, DONE.end) == (1, 20)
    assert EMPTY.end == 0


@pytest.mark.parametrize(
    ("other", "ranges"),
    [
        (EMPTY, DONE.ranges),
        (RangeSet.of([4]), ((1, 5), (6, 7), (10, 20))),
        (RangeSet.of([5]), ((1, 4), (5, 7), (10, 20))),
        (RangeSet.of([4, 5]), ((1, 7), (10, 20))),
        (RangeSet.span(2, 12), ((1, 20),)),
        (RangeSet.span(0, 30), ((0, 30),)),
        (RangeSet.span(11, 12), DONE.ranges),
        (RangeSet.of([8]), ((1, 4), (6, 7), (8, 9), (10, 20))),
        (RangeSet.of([0, 20]), ((0, 4), (6, 7), (10, 21))),
        (RangeSet.of([5, 8, 9]), ((1, 4), (5, 7), (8, 20))),
        (RangeSet(((4, 6), (7, 10))), ((1, 20),)),
        (RangeSet(((2, 3), (11, 15))), DONE.ranges),
    ],
)
def test_a_union_joins_what_touches(other: RangeSet, ranges: tuple[tuple[int, int], ...]) -> None:
    assert (DONE | other).ranges == ranges
    assert (other | DONE).ranges == ranges


@pytest.mark.parametrize(
    ("other", "left", "both"),
    [
        (EMPTY, DONE.ranges, ()),
        (DONE, (), DONE.ranges),
        (RangeSet.span(0, 100), (), DONE.ranges),
        (RangeSet.span(4, 6), DONE.ranges, ()),
        (RangeSet.of([2]), ((1, 2), (3, 4), (6, 7), (10, 20)), ((2, 3),)),
        (RangeSet.span(3, 11), ((1, 3), (11, 20)), ((3, 4), (6, 7), (10, 11))),
        (RangeSet.of([12, 14, 19]), ((1, 4), (6, 7), (10, 12), (13, 14), (15, 19)), None),
    ],
)
def test_a_difference_and_an_intersection_share_the_set_out(
    other: RangeSet,
    left: tuple[tuple[int, int], ...],
    both: tuple[tuple[int, int], ...] | None,
) -> None:
    assert (DONE - other).ranges == left
    assert (DONE & other).ranges == (other.ranges if both is None else both)
    assert (other & DONE) == (DONE & other)


@pytest.mark.parametrize(
    ("first", "end", "ranges"),
    [
        (0, 1, ()),
        (0, 2, ((1, 4),)),
        (3, 4, ((1, 4),)),
        (4, 6, ()),
        (4, 7, ((6, 7),)),
        (3, 11, DONE.ranges),
        (20, 30, ()),
    ],
)
def test_overlapping_ranges_share_a_number_with_the_span(
    first: int, end: int, ranges: tuple[tuple[int, int], ...]
) -> None:
    assert DONE.overlapping(first, end) == ranges


@pytest.mark.parametrize(
    ("first", "ranges"),
    [
        (0, ((0, 1), (4, 6), (7, 10))),
        (1, ((4, 6), (7, 10))),
        (5, ((5, 6), (7, 10))),
        (10, ()),
        (25, ()),
    ],
)
def test_holes_lie_between_the_first_and_the_last(
    first: int, ranges: tuple[tuple[int, int], ...]
) -> None:
    assert DONE.holes(first).ranges == ranges
    assert EMPTY.holes(first) == EMPTY


@pytest.mark.parametrize(
    ("count", "ranges"),
    [
        (-1, ()),
        (0, ()),
        (2, ((1, 3),)),
        (3, ((1, 4),)),
        (4, ((1, 4), (6, 7))),
        (6, ((1, 4), (6, 7), (10, 12))),
        (100, DONE.ranges),
    ],
)
def test_the_lowest_numbers_are_taken(count: int, ranges: tuple[tuple[int, int], ...]) -> None:
    assert DONE.take(count).ranges == ranges
