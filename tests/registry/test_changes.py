from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from hub.core.errors import GateChanged
from hub.core.lane import RouteAction
from hub.ports.registry import Change, Topic
from hub.registry.registry import PostgresRegistry
from tests.harness.postgres import dsn
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SUZHOU,
    add_headers,
    header,
    key_of,
    opened,
    plan_of,
    register,
)
from tests.registry.test_lanes import route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.ports.registry import Registry
    from tests.harness.postgres import Databases


async def until(changes: AsyncIterator[Change], wanted: Change) -> list[Change]:
    """Everything that is heard up to *wanted*."""
    heard = []
    async for change in changes:
        heard.append(change)
        if change == wanted:
            break
    return heard


async def test_every_change_is_told_once_to_every_listener(registry: Registry) -> None:
    await register(registry, HANGZHOU)
    first, second = registry.changes.listen(), registry.changes.listen()
    for _ in range(3):
        registry.changes.announce(Change(Topic.LANES, "1"))
    registry.changes.announce(Change(Topic.LANES, "2"))
    for changes in (first, second):
        assert await until(changes, Change(Topic.LANES, "2")) == [
            Change(Topic.LANES, "1"),
            Change(Topic.LANES, "2"),
        ]


async def test_what_is_done_is_announced(registry: Registry) -> None:
    lanes = await opened(registry)
    lane = str(lanes.lane)
    changes = registry.changes.listen()
    await lanes.accept(1)
    await until(changes, Change(Topic.ACCEPTED, lane))
    await lanes.settle(1)
    await until(changes, Change(Topic.OUTCOMES, lane))
    await add_headers(registry, lanes.source, [header(5)])
    await until(changes, Change(Topic.HEADERS, HANGZHOU))
    await registry.lanes.set_route(route(key_of(), action=RouteAction.DENY), ADMIN)
    await until(changes, Change(Topic.LANES, lane))
    await registry.lanes.pause(key_of(), "work", ADMIN)
    await until(changes, Change(Topic.LANES, lane))
    await registry.lanes.resume(key_of(), ADMIN)
    await until(changes, Change(Topic.LANES, lane))
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    assert Change(Topic.PEERS, SUZHOU) in await until(changes, Change(Topic.LANES, lane))
    opening = await registry.lanes.start_opening(plan_of(from_sequence=9), ADMIN)
    await until(changes, Change(Topic.LANES, ""))
    await registry.lanes.note_opening(opening.number, step="on", error=None, failed=False)
    await until(changes, Change(Topic.LANES, ""))
    await registry.lanes.finish_opening(opening.number, [(key_of(number=3), 1)])
    await until(changes, Change(Topic.LANES, ""))


async def test_a_refused_change_is_not_announced(registry: Registry) -> None:
    lanes = await opened(registry)
    changes = registry.changes.listen()
    with pytest.raises(GateChanged):
        await lanes.accept(1, gate=7)
    registry.changes.announce(Change(Topic.LANES, "end"))
    assert await until(changes, Change(Topic.LANES, "end")) == [Change(Topic.LANES, "end")]


async def test_processes_hear_each_other(postgres: PostgresRegistry, databases: Databases) -> None:
    async with await PostgresRegistry.connect(databases.newest) as other:
        await other._changes.listening.wait()
        heard = other.changes.listen()
        many = [Change(Topic.ACCEPTED, str(number)) for number in range(2000)]
        for change in many:
            postgres.changes.announce(change)
        assert await until(heard, many[-1]) == many


async def test_what_may_wait_a_little_is_heard_too(
    postgres: PostgresRegistry, databases: Databases
) -> None:
    async with await PostgresRegistry.connect(databases.newest) as other:
        await other._changes.listening.wait()
        heard = other.changes.listen()
        postgres.changes.relax(True)
        many = [Change(Topic.ACCEPTED, str(number)) for number in range(2)]
        postgres.changes.announce(many[0])
        assert await until(heard, many[0]) == many[:1]
        postgres.changes.announce(many[1])
        postgres.changes.relax(False)
        assert await until(heard, many[1]) == many[1:]


async def test_a_process_whose_connections_break_speaks_and_hears_again(
    postgres: PostgresRegistry, databases: Databases
) -> None:
    async with await PostgresRegistry.connect(databases.newest) as other:
        await other._changes.listening.wait()
        await postgres._changes.listening.wait()
        await end_sessions(databases)
        await until_heard(postgres, other)
        await until_heard(other, postgres)


async def end_sessions(databases: Databases) -> None:
    """Every connection to the newest database is cut by the server."""
    admin = await asyncpg.connect(dsn(databases.admin_url))
    await admin.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1",
        databases.made[-1],
    )
    await admin.close()


async def until_heard(speaker: Registry, listener: Registry) -> None:
    """*speaker* speaks until *listener* hears it."""
    heard = asyncio.ensure_future(anext(listener.changes.listen()))
    said = 0
    while not heard.done():
        said += 1
        speaker.changes.announce(Change(Topic.LANES, str(said)))
        await asyncio.wait([heard], timeout=0.1)
