from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.core.lane import RateLimit
from hub.core.time import MILLISECOND, SECOND, Duration, Timestamp
from relayer.steps.bucket import FULL, taken, wait

NOW = Timestamp(1000 * SECOND)
TEN = RateLimit(packets=10, period=SECOND, burst=3)


def drained(count: int) -> Timestamp:
    full_at = FULL
    for _ in range(count):
        full_at = taken(full_at, TEN, NOW)
    return full_at


def test_after_a_rest_a_burst_is_taken_at_once() -> None:
    assert [wait(drained(count), TEN, NOW) // MILLISECOND for count in range(6)] == [
        0, 0, 0, 100, 200, 300,
    ]  # fmt: skip


def test_what_flows_in_may_be_taken_and_no_rest_gives_more_than_the_burst() -> None:
    later = Timestamp(NOW + 100 * MILLISECOND)
    assert wait(drained(3), TEN, later) == 0
    assert wait(taken(drained(3), TEN, later), TEN, later) == 100 * MILLISECOND
    full_at, much_later = drained(3), Timestamp(NOW + 1000 * SECOND)
    for _ in range(3):
        assert wait(full_at, TEN, much_later) == 0
        full_at = taken(full_at, TEN, much_later)
    assert wait(full_at, TEN, much_later) == 100 * MILLISECOND


@given(
    st.integers(1, 1000),
    st.integers(1, 50),
    st.lists(st.integers(0, 2 * SECOND), max_size=200),
)
def test_in_no_time_more_is_taken_than_flows_in_and_the_burst(
    packets: int, burst: int, pauses: list[int]
) -> None:
    limit = RateLimit(packets=packets, period=Duration(SECOND), burst=burst)
    full_at, now, taken_at = FULL, NOW, []
    for pause in pauses:
        now = Timestamp(now + pause)
        if wait(full_at, limit, now) == 0:
            full_at = taken(full_at, limit, now)
            taken_at.append(now)
    each = limit.period // packets
    for start in range(len(taken_at)):
        for end in range(start, len(taken_at)):
            assert end - start + 1 <= burst + (taken_at[end] - taken_at[start]) // each + 1
