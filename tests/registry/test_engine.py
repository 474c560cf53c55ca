"""A database that is slow, gone, or ends a connection in the middle of something."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from hub.core.errors import DatabaseUnfit, LaneNotFound, RegistryUnreachable
from hub.core.lane import Side
from hub.core.ranges import RangeSet
from hub.core.time import Duration
from hub.ports.leases import Fence
from hub.registry.engine import LINES, Database, driver_of
from hub.registry.narrow_rows import lock_side
from hub.registry.registry import PostgresRegistry
from tests.harness.clock import until
from tests.harness.postgres import dsn
from tests.harness.registry import HANGZHOU, LEASE, broken, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.postgres import Databases

OVER = Duration(1)
CLAIM = "UPDATE lane_sides SET done = '{[1,9)}' WHERE side = 'SOURCE'"


@pytest.fixture
async def admin(postgres: PostgresRegistry, databases: Databases) -> AsyncIterator[Any]:
    """A superuser's connection to the same database."""
    connection = await asyncpg.connect(dsn(databases.newest))
    yield connection
    await connection.close()


async def end(admin: Any, pid: int) -> None:
    """The server ends the backend *pid*."""
    assert await admin.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)


async def test_no_server_is_a_registry_that_does_not_answer() -> None:
    with pytest.raises(RegistryUnreachable) as caught:
        await PostgresRegistry.connect("postgresql://hub:secret@127.0.0.1:1/hub")
    assert "secret" not in str(caught.value)


async def test_an_unknown_database_is_not_waited_for(databases: Databases) -> None:
    with pytest.raises(DatabaseUnfit) as caught:
        await PostgresRegistry.connect(databases.url("no_such_database"))
    assert "3D000" in caught.value.got


async def test_a_backend_that_ends_in_a_transaction_leaves_nothing_and_the_next_call_succeeds(
    postgres: PostgresRegistry, admin: Any
) -> None:
    lanes = await opened(postgres)

    async def work() -> None:
        async with postgres.database.line() as line, line.transaction():
            await lock_side(line, lanes.source, lanes.lane, Side.SOURCE)
            await line.execute(CLAIM)
            await end(admin, line.get_server_pid())
            await line.execute(CLAIM)

    with pytest.raises(RegistryUnreachable):
        await work()
    assert (await lanes.view()).source.done == RangeSet()
    await lanes.accept(1)
    assert await broken(postgres) == {}


async def test_idle_lines_that_the_server_ended_are_not_used_again(
    postgres: PostgresRegistry, admin: Any
) -> None:
    lanes = await opened(postgres)
    await asyncio.gather(*[lanes.accept(number) for number in range(1, 9)])
    await admin.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1",
        postgres.database.session,
    )
    # An end that is on its way here when a call goes out is an answer that was lost.
    idle = [await driver_of(connection) for connection in postgres.database._idle]
    assert idle
    await until(lambda: all(driver.is_closed() for driver in idle))
    await asyncio.gather(*[lanes.accept(number) for number in range(9, 17)])
    assert (await postgres.peers.get(HANGZHOU)).peer == HANGZHOU
    assert (await lanes.view()).source.done == RangeSet.span(1, 17)


@pytest.mark.parametrize(
    "statement",
    [
        "SET statement_timeout = 20; SELECT pg_sleep(10)",
        "SET lock_timeout = 20; SELECT 1 FROM lane_sides FOR UPDATE",
    ],
)
async def test_what_takes_too_long_did_not_answer(
    postgres: PostgresRegistry, admin: Any, statement: str
) -> None:
    await opened(postgres)
    async with admin.transaction():
        await admin.execute("SELECT 1 FROM lane_sides FOR UPDATE")
        with pytest.raises(RegistryUnreachable):
            async with postgres.database.line() as line:
                await line.execute(statement)


async def test_a_transaction_left_open_is_undone(postgres: PostgresRegistry) -> None:
    lanes = await opened(postgres)
    async with postgres.database.line() as line:
        await line.execute("BEGIN")
        await line.execute("UPDATE lane_sides SET gate = gate + 1")
    for _ in range(LINES + 1):
        assert (await lanes.view()).source.gate == 1


async def test_a_call_that_is_cancelled_hinders_no_other(postgres: PostgresRegistry) -> None:
    lanes = await opened(postgres)

    async def wait() -> None:
        async with postgres.database.line() as line:
            await line.execute("SELECT pg_sleep(10)")

    waiting = [asyncio.create_task(wait()) for _ in range(LINES)]
    await asyncio.sleep(0.05)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await lanes.accept(1)


@pytest.mark.parametrize("wait_s", [0, 0.001, 0.002, 0.004, 0.008, 0.016, 0.05])
async def test_whoever_is_cancelled_ends_so_wherever_it_is(
    postgres: PostgresRegistry,
    wait_s: float,
) -> None:
    """A roll-back that fails after it must not make another error of it, nor hide it."""
    database = postgres.database

    async def in_transaction() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("SELECT pg_sleep(1)"))

    async def on_a_line() -> None:
        async with database.line() as line, line.transaction():
            await line.execute("SELECT pg_sleep(1)")

    async def alone() -> None:
        connection = await database.connect()
        try:
            await asyncio.sleep(1)
        finally:
            await connection.close()

    tasks = [asyncio.create_task(work()) for work in (in_transaction, on_a_line, alone)]
    await asyncio.sleep(wait_s)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert [task.cancelled() for task in tasks] == [True] * len(tasks)
    assert await postgres.leases.all() == []


async def test_an_error_of_the_domain_keeps_the_connection(postgres: PostgresRegistry) -> None:
    async with postgres.database.line() as line:
        before = line.get_server_pid()
    for _ in range(3):
        with pytest.raises(LaneNotFound):
            await postgres.lanes.view(7)
    async with postgres.database.line() as line:
        assert line.get_server_pid() == before


async def test_what_the_schema_refuses_is_a_bug_and_told_as_it_is(
    postgres: PostgresRegistry,
) -> None:
    await opened(postgres)
    with pytest.raises(asyncpg.CheckViolationError):
        async with postgres.database.line() as line:
            await line.execute("UPDATE lane_sides SET progress = '{[-1,2)}'")
    with pytest.raises(IntegrityError):
        async with postgres.database.transaction() as connection:
            await connection.execute(text("UPDATE lanes SET first_sequence = 0"))


async def test_a_taker_ends_what_the_owner_before_left_open(
    postgres: PostgresRegistry, databases: Databases
) -> None:
    """The owner stopped in the middle of a transaction, with its locks, and may wake up again."""
    lanes = await opened(postgres)
    taken: list[Fence | None] = []

    async def stop_and_wake_up(zombie: PostgresRegistry) -> None:
        async with zombie.database.line() as line, line.transaction():
            await line.execute("SELECT 1 FROM lane_sides FOR UPDATE")
            taken.append(await postgres.leases.acquire(HANGZHOU, "west-1", LEASE))
            await line.execute(CLAIM)

    async with await PostgresRegistry.connect(databases.newest) as zombie:
        assert await zombie.leases.acquire(HANGZHOU, "east-1", OVER)
        with pytest.raises(RegistryUnreachable):
            await stop_and_wake_up(zombie)
    view = await lanes.view()
    assert view.source.done == RangeSet()
    assert taken == [Fence(HANGZHOU, view.source.epoch)]


async def test_a_taker_spares_what_the_owner_before_does_elsewhere(
    postgres: PostgresRegistry, databases: Databases
) -> None:
    await opened(postgres)
    async with await PostgresRegistry.connect(databases.newest) as before:
        await before._changes.listening.wait()
        assert await before.leases.acquire(HANGZHOU, "east-1", OVER)
        async with before.database.line() as line:
            pid = line.get_server_pid()
        assert await postgres.leases.acquire(HANGZHOU, "west-1", LEASE)
        async with before.database.line() as line:
            assert line.get_server_pid() == pid
        assert before._changes.listening.is_set()


async def test_a_transaction_that_idles_is_cut(databases: Databases) -> None:
    database = Database(await databases.fresh(), "test")

    async def idle() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("SET idle_in_transaction_session_timeout = 10"))
            await asyncio.sleep(0.2)
            await connection.execute(text("SELECT 1"))

    with pytest.raises(RegistryUnreachable):
        await idle()
    await database.close()
    await databases.drop()


async def test_every_connection_has_the_limits_of_the_house(postgres: PostgresRegistry) -> None:
    names = ["TimeZone", "idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout"]
    async with postgres.database.line() as line:
        on_line = [await line.fetchval(f"SHOW {name}") for name in names]
    async with postgres.database.transaction() as connection:
        shown = [(await connection.execute(text(f"SHOW {name}"))).scalar_one() for name in names]
    assert on_line == shown == ["UTC", "2s", "2s", "15s"]
