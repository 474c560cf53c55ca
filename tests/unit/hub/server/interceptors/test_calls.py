from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from hub.core.errors import HubError, LaneNotFound
from hub.core.time import MILLISECOND, Duration
from hub.registry.memory import MemoryRegistry
from hub.server.hub import Hub
from hub.server.interceptors.calls import Calls
from tests.harness.clock import ManualClock

METHOD = "/ydhub.hub.v1.StatusService/GetStatus"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (None, "OK"),
        (LaneNotFound(name="lanes/none"), "LANE_NOT_FOUND"),
        (asyncio.CancelledError(), "CANCELLED"),
        (RuntimeError("a bug"), "INTERNAL"),
    ],
)
async def test_a_call_is_heard_of_with_its_reason_and_its_time(
    failure: BaseException | None, reason: str
) -> None:
    heard: list[tuple[str, str, int]] = []
    clock = ManualClock()
    hub = Hub(
        registry=MemoryRegistry(),
        clock=clock,
        trust_domain="ydhub.local",
        version="1",
        heard=lambda *call: heard.append(call),
    )
    context: Any = None
    caught: BaseException | None = None
    with suppress(asyncio.CancelledError, HubError, RuntimeError):
        async with Calls(hub).around(METHOD, None, context):
            await clock.advance(Duration(7 * MILLISECOND))
            if failure is not None:
                caught = failure
                raise failure
        caught = None
    assert caught is failure, "what fails passes on"
    assert heard == [(METHOD, reason, 7 * MILLISECOND)]
