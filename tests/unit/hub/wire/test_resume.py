from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import PageTokenInvalid
from hub.core.ranges import RangeSet
from hub.ports.watching import Seen
from hub.wire.resume import position_from_text, seen_from_text, seen_to_text

NUMBERS = st.integers(min_value=0, max_value=2**62)
SETS = st.builds(RangeSet.of, st.sets(st.integers(min_value=0, max_value=200), max_size=60))


@given(NUMBERS, NUMBERS, SETS, SETS, SETS)
def test_what_a_watcher_knows_reads_back(
    position: int, count: int, accepted: RangeSet, delivered: RangeSet, executed: RangeSet
) -> None:
    seen = Seen(
        position=position,
        outcome_count=count,
        accepted=accepted,
        delivered=delivered,
        executed=executed,
    )
    assert seen_from_text(seen_to_text(seen)) == seen


@pytest.mark.parametrize(
    "text",
    [
        "", "1", "1;1;;", "1;1;;;;", "a;1;;;", "-1;1;;;", "01;1;;;", "1;1;3-2;;", "1;1;2-2;;",
        "1;1;1-3,2-5;;", "1;1;1-3,3-5;;", "1;1;1-3,;;", "1;1;1;;", "1;1;1-2;;;\n",
    ],
)  # fmt: skip
def test_what_no_watcher_knows_is_refused(text: str) -> None:
    with pytest.raises(PageTokenInvalid):
        seen_from_text(text)


def test_a_position_is_a_number() -> None:
    assert position_from_text("") == 0
    assert position_from_text("17") == 17
    for text in ("x", "-1", "01", "1" * 21, "\uff11"):
        with pytest.raises(PageTokenInvalid):
            position_from_text(text)
