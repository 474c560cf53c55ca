from __future__ import annotations

from adapters.sdk.backoff import CHANCES, FIRST, LONGEST, delay
from hub.core.time import SECOND, Duration


def test_the_span_doubles_with_each_try_and_ends_at_the_longest() -> None:
    most = CHANCES - 1
    assert [delay(tries, most) for tries in (1, 2, 3)] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert delay(60, most) == LONGEST
    assert delay(60, most, longest=Duration(3 * SECOND)) == 3 * SECOND


def test_the_whole_span_is_jittered_and_never_none() -> None:
    assert delay(1, 0) == FIRST // CHANCES > 0
    assert delay(2, CHANCES // 2 - 1) == FIRST
