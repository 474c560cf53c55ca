from __future__ import annotations

from hub.core.time import MILLISECOND, SECOND
from relayer.steps.backoff import CHANCES, LONGEST, delay


def test_the_ceiling_doubles_from_half_a_second_to_a_minute() -> None:
    ceilings = [delay(tries, CHANCES - 1) for tries in range(1, 10)]
    assert ceilings[:4] == [500 * MILLISECOND, SECOND, 2 * SECOND, 4 * SECOND]
    assert ceilings[-1] == LONGEST
    assert max(delay(tries, CHANCES - 1) for tries in range(1, 1000)) == LONGEST


def test_the_whole_span_is_jittered_and_never_nothing() -> None:
    assert 0 < delay(1, 0) < MILLISECOND
    assert delay(3, CHANCES // 2) < delay(3, CHANCES - 1)
