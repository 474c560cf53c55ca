"""The hub server dies while it makes a change, and ``migrate`` while it migrates.

A change that was asked for again, by the same request id, is one; a migration is whole or not at
all, and the next one finishes it.

Source: reliability notes section 6, C1, C2 and C17.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from ydhub.lane.v1 import lane_pb2, lane_service_pb2

from hub.cli.clock import wall_clock
from hub.cli.dev.layout import HUB
from hub.core.time import Duration
from hub.registry.embedded import DATABASE, EmbeddedPostgres
from hub.wire.failpoints import KILLED
from hub.wire.status import RemoteError
from tests.harness.network import FAILPOINT, HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from hub.core.lane import LaneKey
    from tests.harness.network import LiveNetwork


async def change(live: LiveNetwork, armed: str, request_id: str) -> Duration:
    """How long (ns) after its second start the hub has made the change once, and said so."""
    lane = live.lane(HANGZHOU, SUZHOU)
    await live.kill(HUB)
    live.network.launch(HUB, {FAILPOINT: armed})
    await live.until(lambda: live.network.answers(HUB), HUB)
    with pytest.raises(RemoteError):
        await _pause(live, lane, request_id)
    status = await live.died(HUB)
    assert status == KILLED, f"{HUB} ended with {status}"
    began = wall_clock()
    live.network.launch(HUB)
    try:
        await live.until(lambda: _is_paused(live, lane, request_id), "the pause")
        took = Duration(wall_clock() - began)
    finally:
        await _resume(live, lane)
    made = "SELECT count(*) FROM audit_events WHERE request_id = $1"
    assert await ask(live, made, request_id) == 1
    return took


async def migration(live: LiveNetwork, armed: str, name: str) -> Duration:
    """How long (ns) the second try takes, after which a new database is as it must be."""
    await ask(live, f'CREATE DATABASE "{name}"')
    url = EmbeddedPostgres(live.network.layout.postgres).url(name)
    try:
        status = await _server(("migrate", "--database-url", url), armed)
        assert status == KILLED, f"migrate ended with {status}"
        began = wall_clock()
        assert await _server(("migrate", "--database-url", url)) == 0
        took = Duration(wall_clock() - began)
        assert await _server(("check", "--database-url", url)) == 0
    finally:
        await ask(live, f'DROP DATABASE "{name}" WITH (FORCE)')
    return took


async def connected(live: LiveNetwork, database: str = DATABASE) -> Any:
    """A connection to the network's PostgreSQL, around every process of ours."""
    url = EmbeddedPostgres(live.network.layout.postgres).url(database)
    return await asyncpg.connect(url.replace("+asyncpg", ""))


async def ask(live: LiveNetwork, query: str, *arguments: object) -> Any:
    """The first value that the network's PostgreSQL answers."""
    connection = await connected(live)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def _server(arguments: tuple[str, ...], armed: str = "") -> int:
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hub.server",
        *arguments,
        stdin=quiet,
        stdout=quiet,
        env={**os.environ, FAILPOINT: armed},
    )
    return await process.wait()


async def _pause(live: LiveNetwork, lane: LaneKey, request_id: str) -> lane_pb2.Lane:
    request = lane_service_pb2.PauseLaneRequest(
        name=lane.name, cause="a drill", request_id=request_id
    )
    async with live.hub() as hub:
        return (await hub.call(hub.lanes.PauseLane, request)).lane


async def _is_paused(live: LiveNetwork, lane: LaneKey, request_id: str) -> bool:
    return (await _pause(live, lane, request_id)).state == lane_pb2.LANE_STATE_PAUSED


async def _resume(live: LiveNetwork, lane: LaneKey) -> None:
    request = lane_service_pb2.ResumeLaneRequest(name=lane.name)

    async def is_open() -> bool:
        async with live.hub() as hub:
            answer = await hub.call(hub.lanes.ResumeLane, request)
        return answer.lane.state == lane_pb2.LANE_STATE_OPEN

    await live.until(is_open, "the lane's going on")
