from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import FieldInvalid
from hub.core.time import SECOND, Duration
from hub.wire.duration import MAX_DURATION, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("336h", 336 * 3600), ("1h30m", 5400), ("10s", 10), ("14d", 14 * 86400), ("0s", 0)],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: int) -> None:
    assert parse_duration(text, "x") == seconds * SECOND


@pytest.mark.parametrize(
    "text", ["", "10", "-1s", "1.5h", "1 h", "s", "1w", "\uff11s", "1s\n", "9" * 19 + "s"]
)
def test_what_is_no_duration_names_its_field(text: str) -> None:
    with pytest.raises(FieldInvalid) as raised:
        parse_duration(text, "anchor.trusting_period")
    assert raised.value.field == "anchor.trusting_period"


def test_more_than_292_years_is_refused() -> None:
    with pytest.raises(FieldInvalid):
        parse_duration("999999999999999999h", "x")


@given(st.integers(0, MAX_DURATION))
def test_a_formatted_duration_reads_back(nanoseconds: int) -> None:
    assert parse_duration(format_duration(Duration(nanoseconds)), "x") == nanoseconds
