from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import RegistryUnreachable
from hub.core.time import SECOND, Duration, Timestamp
from hub.exchange.invariants import Standing
from hub.exchange.vitals import BEAT, BEATS
from hub.registry.memory import MemoryRegistry
from hub.server.telemetry import CENSUS_EVERY, SHARE, HubTelemetry
from tests.harness.certificates import Certificates
from tests.harness.clock import ManualClock, settle
from tests.harness.registry import opened

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hub.ports.leases import Lease


@pytest.fixture
def telemetry(tmp_path: Path) -> HubTelemetry:
    file, _, _ = Certificates.make(tmp_path).files("/hub")
    return HubTelemetry("1", str(file))


def test_calls_are_counted_by_method_and_reason(telemetry: HubTelemetry) -> None:
    telemetry.call("/a/B", "OK", Duration(SECOND))
    telemetry.call("/a/B", "LANE_NOT_FOUND", Duration(2 * SECOND))
    sample = telemetry.exposition.collection.get_sample_value
    assert sample("ydhub_calls_total", {"method": "/a/B", "reason": "OK"}) == 1
    assert sample("ydhub_call_seconds_sum", {"method": "/a/B"}) == 3


def test_invariants_are_told_by_name_and_with_their_age(telemetry: HubTelemetry) -> None:
    sample = telemetry.exposition.collection.get_sample_value
    telemetry.invariants(Standing({"lane_states": 2}, None))
    assert sample("ydhub_invariant_broken_rows", {"invariant": "lane_states"}) == 2
    assert sample("ydhub_invariants_timestamp_seconds") == 0
    telemetry.invariants(Standing({"lane_states": 2}, Timestamp(7 * SECOND)))
    assert sample("ydhub_invariants_timestamp_seconds") == 7


async def test_it_looks_again_and_again(telemetry: HubTelemetry) -> None:
    registry, clock = MemoryRegistry(), ManualClock()
    running = asyncio.ensure_future(telemetry.run(registry, clock))
    await settle()
    sample = telemetry.exposition.collection.get_sample_value
    first = sample("ydhub_census_timestamp_seconds")
    assert sample("ydhub_peer_attached", {"peer": "hangzhou"}) is None
    await opened(registry)
    await clock.advance(CENSUS_EVERY)
    assert sample("ydhub_census_timestamp_seconds") == (first or 0) + CENSUS_EVERY / SECOND
    assert sample("ydhub_peer_attached", {"peer": "hangzhou"}) == 0
    await clock.advance(Duration(BEATS * BEAT))
    assert sample("ydhub_database_up") == 1
    assert (sample("ydhub_certificate_expires_timestamp_seconds") or 0) > 0
    running.cancel()


async def test_a_census_that_takes_long_is_taken_less_often(
    telemetry: HubTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, clock = MemoryRegistry(), ManualClock()
    taken: list[int] = []

    async def slowly() -> Sequence[Lease]:
        await clock.sleep(CENSUS_EVERY)
        taken.append(clock.monotonic())
        return []

    monkeypatch.setattr(registry.leases, "all", slowly)
    running = asyncio.ensure_future(telemetry.run(registry, clock))
    await settle()
    for _ in range(2 * (1 + SHARE)):
        await clock.advance(CENSUS_EVERY)
    assert [after - before for before, after in pairwise(taken)] == [(1 + SHARE) * CENSUS_EVERY]
    running.cancel()


@pytest.mark.parametrize("failure", [RegistryUnreachable(problem="away"), RuntimeError("a bug")])
async def test_a_census_that_fails_keeps_the_last_one_whose_age_tells(
    telemetry: HubTelemetry, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    registry, clock = MemoryRegistry(), ManualClock()
    running = asyncio.ensure_future(telemetry.run(registry, clock))
    await settle()
    sample = telemetry.exposition.collection.get_sample_value
    first = sample("ydhub_census_timestamp_seconds")

    async def fail() -> Sequence[Lease]:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(registry.leases, "all", fail)
        await clock.advance(CENSUS_EVERY)
        assert sample("ydhub_census_timestamp_seconds") == first
    await clock.advance(CENSUS_EVERY)
    assert sample("ydhub_census_timestamp_seconds") == (first or 0) + 2 * CENSUS_EVERY / SECOND
    running.cancel()
