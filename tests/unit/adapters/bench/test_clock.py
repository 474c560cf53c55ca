from __future__ import annotations

from adapters.bench import clock
from hub.core.time import SECOND


def test_clocks_go_on_in_nanoseconds() -> None:
    assert clock.now() > 1_577_836_800 * SECOND
    first = clock.monotonic(), clock.used()
    assert first[0] <= clock.monotonic()
    assert 0 < first[1] <= clock.used()
