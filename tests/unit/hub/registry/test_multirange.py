from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.ranges import RangeSet
from hub.registry.multirange import bounds, from_text, to_text


@pytest.mark.parametrize(
    ("ranges", "literal"),
    [
        ((), "{}"),
        (((1, 5),), "{[1,5)}"),
        (((0, 1), (7, 9)), "{[0,1),[7,9)}"),
        (((1, 2**63 - 1),), "{[1,9223372036854775807)}"),
        (((-3, -1),), "{[-3,-1)}"),
    ],
)
def test_a_set_is_written_as_postgres_writes_it(
    ranges: tuple[tuple[int, int], ...], literal: str
) -> None:
    assert to_text(RangeSet(ranges)) == literal
    assert from_text(literal) == RangeSet(ranges)


def test_a_range_that_ends_too_high_is_written_without_end() -> None:
    too_high = RangeSet(((1, 2), (5, 2**63)))
    assert to_text(too_high) == "{[1,2),[5,)}"
    assert bounds(too_high) == ([1, 5], [2, 2**63 - 1])


@given(st.sets(st.integers(0, 300)))
def test_what_is_written_is_read(numbers: set[int]) -> None:
    assert set(from_text(to_text(RangeSet.of(numbers)))) == numbers
