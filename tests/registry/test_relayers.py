from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import RelayerNotFound, RequestIdReused
from tests.harness.registry import ADMIN, HANGZHOU, SUZHOU, acquire, register

if TYPE_CHECKING:
    from hub.ports.registry import Registry

EAST, WEST = "east-1", "west-1"


async def begin(registry: Registry, *relayers: str) -> None:
    for relayer in relayers:
        await registry.relayers.begin(relayer, f"{relayer}:9700", "1.0")


async def test_a_relayer_that_begins_is_alive_and_shown_by_name(registry: Registry) -> None:
    await begin(registry, WEST, EAST)
    shown = await registry.relayers.all()
    assert [one.relayer for one in shown] == [EAST, WEST]
    east = shown[0]
    assert (east.name, east.address, east.version) == ("relayers/east-1", "east-1:9700", "1.0")
    assert east.is_alive
    assert east.takes_sessions
    assert east.started_at <= east.heartbeat_at


async def test_it_counts_the_leases_that_a_relayer_holds(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    await begin(registry, EAST, WEST)
    await acquire(registry, HANGZHOU, EAST)
    fence = await acquire(registry, SUZHOU, EAST)
    assert [one.sessions for one in await registry.relayers.all()] == [2, 0]
    await registry.leases.release(fence)
    assert (await registry.relayers.get(EAST)).sessions == 1


async def test_a_heartbeat_is_newer_than_the_last_one(registry: Registry) -> None:
    await begin(registry, EAST)
    before = await registry.relayers.get(EAST)
    assert (await registry.relayers.beat(EAST)).heartbeat_at > before.heartbeat_at


async def test_one_that_ended_is_not_alive_until_it_begins_again(registry: Registry) -> None:
    await begin(registry, EAST)
    await registry.relayers.end(EAST)
    await registry.relayers.end("nobody")
    assert not (await registry.relayers.get(EAST)).is_alive
    await begin(registry, EAST)
    assert (await registry.relayers.get(EAST)).is_alive


async def test_drain_lasts_over_a_restart_until_it_is_undone(registry: Registry) -> None:
    await begin(registry, EAST)
    assert not await registry.relayers.drain(EAST, "a new machine", ADMIN)
    assert await registry.relayers.drain(EAST, "a new machine", ADMIN)
    await begin(registry, EAST)
    found = await registry.relayers.get(EAST)
    assert (found.is_draining, found.takes_sessions, found.revision) == (True, False, 2)
    assert not await registry.relayers.undrain(EAST, "it is there", ADMIN)
    assert await registry.relayers.undrain(EAST, "it is there", ADMIN)
    found = await registry.relayers.get(EAST)
    assert (found.is_draining, found.revision) == (False, 3)


async def test_a_request_that_comes_again_is_carried_out_once(registry: Registry) -> None:
    await begin(registry, EAST)
    by = replace(ADMIN, request_id="d1", digest=b"1")
    assert not await registry.relayers.drain(EAST, "", by)
    await registry.relayers.undrain(EAST, "", ADMIN)
    assert await registry.relayers.drain(EAST, "", by)
    assert not (await registry.relayers.get(EAST)).is_draining
    with pytest.raises(RequestIdReused):
        await registry.relayers.drain(EAST, "", replace(by, digest=b"2"))


async def test_a_relayer_that_never_ran_is_not_found(registry: Registry) -> None:
    for answer in (
        registry.relayers.get(EAST),
        registry.relayers.beat(EAST),
        registry.relayers.drain(EAST, "", ADMIN),
        registry.relayers.undrain(EAST, "", ADMIN),
    ):
        with pytest.raises(RelayerNotFound):
            await answer
