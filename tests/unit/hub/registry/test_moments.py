from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from hub.registry.moments import lasting, timestamp


def test_a_time_is_exact_to_the_microsecond() -> None:
    at = datetime(2026, 11, 25, 16, 0, 0, 123_457, tzinfo=UTC)
    assert timestamp(at) == 1_795_622_400_123_457_000


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    utc = datetime(2026, 11, 25, 16, tzinfo=UTC)
    assert timestamp(utc.astimezone(timezone(timedelta(hours=8)))) == timestamp(utc)


@pytest.mark.parametrize(
    ("duration", "microseconds"),
    [(0, 0), (1, 1), (1000, 1), (1001, 2), (3_600_000_000_000, 3_600_000_000)],
)
def test_a_duration_is_rounded_up(duration: int, microseconds: int) -> None:
    assert lasting(duration) == timedelta(microseconds=microseconds)
