from __future__ import annotations

import pytest

from hub.core.time import MILLISECOND, SECOND, Timestamp, whole_seconds


@pytest.mark.parametrize(
    ("at", "seconds"),
    [
        (0, 0),
        (1, 0),
        (SECOND - 1, 0),
        (SECOND, 1),
        (2 * SECOND - 1, 1),
        (1_795_399_768_999_999_999, 1_795_399_768),
        (-1, -1),
    ],
)
def test_seconds_are_rounded_down(at: int, seconds: int) -> None:
    assert whole_seconds(Timestamp(at)) == seconds


def test_units_are_nanoseconds() -> None:
    assert SECOND == 10**9
    assert MILLISECOND == 10**6
