from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.core.time import SECOND, Timestamp
from relayer.steps.strikes import FIRST, FORGIVEN_EVERY, FREE, LONGEST, Strikes, failed, wait

NOW = Timestamp(1000 * SECOND)


def after(count: int, now: Timestamp = NOW, strikes: Strikes | None = None) -> Strikes:
    found = strikes or Strikes()
    for _ in range(count):
        found = failed(found, now)
    return found


def test_who_has_never_failed_waits_for_nothing() -> None:
    assert wait(Strikes(), NOW) == 0


def test_as_many_failures_as_happen_to_anyone_cost_nothing() -> None:
    assert wait(after(FREE), NOW) == 0


def test_each_further_one_doubles_the_wait_up_to_the_longest() -> None:
    assert [wait(after(FREE + extra), NOW) // FIRST for extra in range(1, 6)] == [1, 2, 4, 8, 16]
    assert wait(after(FREE + 40), NOW) == LONGEST


def test_the_wait_passes() -> None:
    strikes = after(FREE + 3)
    assert wait(strikes, Timestamp(NOW + 4 * FIRST - 1)) == 1
    assert wait(strikes, Timestamp(NOW + 4 * FIRST)) == 0


def test_failures_are_forgiven_one_by_one() -> None:
    strikes = after(FREE + 3)
    later = Timestamp(NOW + 4 * FORGIVEN_EVERY)
    assert wait(failed(strikes, later), later) == 0
    assert wait(after(2, later, strikes), later) == FIRST


def test_who_failed_long_ago_begins_anew() -> None:
    later = Timestamp(NOW + 1000 * FORGIVEN_EVERY)
    assert failed(after(FREE + 40), later) == Strikes(1, later, later)


@given(st.lists(st.integers(0, 20 * SECOND), max_size=300))
def test_the_wait_is_bounded_and_failures_too(pauses: list[int]) -> None:
    strikes, now = Strikes(), NOW
    for pause in pauses:
        now = Timestamp(now + pause)
        strikes = failed(strikes, now)
        assert 0 <= wait(strikes, now) <= LONGEST
        assert strikes.failures <= FREE + LONGEST // FIRST
        assert strikes.since <= now
