from __future__ import annotations

from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import Timestamp
from relayer.steps.delayed import Delayed, without

FIRST = Delayed(RangeSet.span(1, 4), Timestamp(7))
SECOND = Delayed(RangeSet.span(4, 6), Timestamp(9))


def test_what_has_none_of_the_items_stays_as_it_is() -> None:
    found = without((FIRST, SECOND), RangeSet.of([5]))
    assert found == (FIRST, Delayed(RangeSet.of([4]), Timestamp(9)))
    assert found[0] is FIRST


def test_what_has_nothing_left_is_gone() -> None:
    assert without((FIRST, SECOND), RangeSet.span(4, 9)) == (FIRST,)
    assert without((FIRST, SECOND), RangeSet.span(0, 9)) == ()


def test_without_nothing_all_stay() -> None:
    assert without((FIRST, SECOND), EMPTY) == (FIRST, SECOND)
    assert without((), FIRST.items) == ()
