from __future__ import annotations

import pytest

from hub.core.errors import HeightInvalid
from hub.core.height import MAX_HEIGHT, Height


@pytest.mark.parametrize(
    ("revision", "number"), [(0, 1), (0, MAX_HEIGHT), (MAX_HEIGHT, 1), (7, 42)]
)
def test_a_height_keeps_its_numbers(revision: int, number: int) -> None:
    height = Height.parse(revision, number)
    assert (height.revision, height.number) == (revision, number)
    assert str(height) == f"{revision}-{number}"


@pytest.mark.parametrize(
    ("revision", "number"),
    [(0, 0), (0, -1), (-1, 1), (0, MAX_HEIGHT + 1), (MAX_HEIGHT + 1, 1)],
)
def test_numbers_out_of_range_are_no_height(revision: int, number: int) -> None:
    with pytest.raises(HeightInvalid) as caught:
        Height.parse(revision, number)
    assert (caught.value.revision, caught.value.number) == (revision, number)


def test_the_bound_is_a_signed_integer_of_64_bits() -> None:
    assert MAX_HEIGHT == 9_223_372_036_854_775_807


def test_heights_are_ordered_by_revision_then_number() -> None:
    heights = [Height(1, 1), Height(0, 10), Height(0, 9), Height(1, 0), Height(2, 0)]
    assert sorted(heights) == [
        Height(0, 9),
        Height(0, 10),
        Height(1, 0),
        Height(1, 1),
        Height(2, 0),
    ]
