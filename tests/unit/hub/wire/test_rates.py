from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.errors import FieldInvalid
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire.rates import format_rate, parse_rate


@pytest.mark.parametrize(
    ("text", "count", "period"),
    [
        ("100/s", 100, SECOND),
        ("10/m", 10, 60 * SECOND),
        ("5/250ms", 5, 250 * MILLISECOND),
        ("7/1h30m", 7, 5400 * SECOND),
    ],
)
def test_a_rate_is_so_many_in_a_time(text: str, count: int, period: int) -> None:
    assert parse_rate(text, "rate") == (count, period)
    assert format_rate(count, Duration(period)) == text


@pytest.mark.parametrize(
    "text",
    ["", "100", "/s", "0/s", "-1/s", "1.5/s", "x/s", "1/", "1/x", "9" * 30 + "/s", "\u0661/s"],
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(FieldInvalid):
        parse_rate(text, "rate")


@given(st.integers(1, 10**6), st.integers(1, 86_400 * SECOND))
def test_what_is_written_is_read_back(count: int, period: int) -> None:
    assert parse_rate(format_rate(count, Duration(period)), "rate") == (count, period)
