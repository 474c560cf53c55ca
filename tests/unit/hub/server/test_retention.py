from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import FieldInvalid, RegistryUnreachable
from hub.server.retention import EVERY, IDENTITY, LEAST_KEPT_DAYS, check, watch
from tests.harness.clock import ManualClock, settle

if TYPE_CHECKING:
    from datetime import date


def test_half_a_year_is_kept_at_least() -> None:
    check("keep_days", LEAST_KEPT_DAYS)
    with pytest.raises(FieldInvalid) as raised:
        check("keep_days", LEAST_KEPT_DAYS - 1)
    assert raised.value.field == "keep_days"


async def test_it_drops_now_and_hourly_whatever_fails() -> None:
    clock, asked = ManualClock(), list[tuple[int, str]]()
    failures: list[Exception] = [RegistryUnreachable(problem="away"), KeyError("a bug")]

    async def retire(keep_days: int, by: str) -> list[date]:
        asked.append((keep_days, by))
        if failures:
            raise failures.pop()
        return []

    watching = asyncio.ensure_future(watch(retire, clock, 200))
    await settle()
    assert asked == [(200, IDENTITY)]
    for _ in range(3):
        await clock.advance(EVERY)
    assert asked == [(200, IDENTITY)] * 4
    watching.cancel()
