from __future__ import annotations

from hub.core.time import MILLISECOND, SECOND, Duration
from hub.server.clock import SystemClock

YEAR_2020 = 1_577_836_800 * SECOND


async def test_the_clocks_are_the_machines_own() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(Duration(5 * MILLISECOND))
    assert clock.monotonic() - before >= 4 * MILLISECOND
    assert clock.now() > YEAR_2020
