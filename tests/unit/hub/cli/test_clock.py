from __future__ import annotations

from hub.cli.clock import monotonic, wall_clock
from hub.core.time import SECOND


def test_now_is_in_nanoseconds_since_the_epoch() -> None:
    assert 1_577_836_800 * SECOND < wall_clock() <= wall_clock()


def test_measuring_never_goes_back() -> None:
    first = monotonic()
    assert 0 < first <= monotonic()
