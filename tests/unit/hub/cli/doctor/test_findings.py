from __future__ import annotations

import pytest

from hub.cli.doctor.findings import (
    DAY,
    HOUR,
    MINUTE,
    Level,
    failed,
    few,
    fine,
    graded,
    shown,
    unknown,
    warning,
)
from hub.core.time import SECOND


@pytest.mark.parametrize(
    ("value", "level"), [(9, Level.OK), (10, Level.WARNING), (19, Level.WARNING), (20, "FAILED")]
)
def test_a_number_is_graded_by_two_limits(value: int, level: Level) -> None:
    verdict = graded(value, 10, 20, "so many", "do less")
    assert (verdict.level, verdict.detail) == (level, "so many")
    assert bool(verdict.fix) == (value >= 10)


def test_what_is_fine_or_unknown_needs_no_fix() -> None:
    assert (fine("x").level, fine("x").fix) == (Level.OK, "")
    assert (unknown("x").level, unknown("x").fix) == (Level.UNKNOWN, "")
    assert (warning("x", "y").fix, failed("x", "y").fix) == ("y", "y")


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (0, "0s"),
        (SECOND - 1, "0s"),
        (59 * SECOND, "59s"),
        (MINUTE + SECOND, "1m1s"),
        (HOUR + SECOND, "1h1s"),
        (3 * DAY + 4 * HOUR + 5 * MINUTE, "3d4h"),
        (-2 * MINUTE, "2m"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(duration: int, text: str) -> None:
    assert shown(duration) == text


def test_many_names_are_counted() -> None:
    assert few(["a", "b", "c"]) == "a, b, c"
    assert few(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
