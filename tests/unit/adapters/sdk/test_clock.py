from __future__ import annotations

from adapters.sdk.clock import SystemClock, SystemRandomness
from hub.core.time import MILLISECOND, SECOND


async def test_the_machines_clocks_count_nanoseconds() -> None:
    clock = SystemClock()
    before, monotonic = clock.now(), clock.monotonic()
    await clock.sleep(MILLISECOND)
    assert clock.monotonic() - monotonic >= MILLISECOND
    assert 1_700_000_000 * SECOND < before <= clock.now()


def test_the_machines_chance_stays_below_its_bound() -> None:
    chance = SystemRandomness()
    assert {chance.below(3) for _ in range(200)} == {0, 1, 2}
