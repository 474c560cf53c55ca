"""A server of its own that is killed, stopped and cut: nothing that was answered is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from hub.core.errors import CommitUnknown
from hub.core.ranges import RangeSet
from hub.registry import schema
from hub.registry.embedded import DATABASE
from hub.registry.engine import AWAY
from hub.registry.registry import PostgresRegistry
from tests.harness.postgres import MEMORY, dsn, own_server, version
from tests.harness.registry import ADMIN, broken, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.registry.embedded import EmbeddedPostgres

ENOUGH = 40


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server whose directory is empty yet."""
    directory = Path(tempfile.mkdtemp(prefix="ydhub-", dir=MEMORY if MEMORY.is_dir() else None))
    made = own_server(directory)
    yield made
    made.stop()
    shutil.rmtree(directory)


async def ask(url: str, query: str) -> Any:
    connection = await asyncpg.connect(dsn(url))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_what_was_accepted_survives_kill_9_under_load(server: EmbeddedPostgres) -> None:
    url = server.start()
    await schema.migrate(url)
    answered: list[int] = []
    enough = asyncio.Event()
    async with await PostgresRegistry.connect(url) as registry:
        lanes = await opened(registry)

        async def accept_from(first: int) -> None:
            for sequence in range(first, 10_000, 4):
                await lanes.accept(sequence)
                answered.append(sequence)
                if len(answered) == ENOUGH:
                    enough.set()

        load = [asyncio.create_task(accept_from(first)) for first in range(1, 5)]
        await enough.wait()
        os.kill(server.pid() or 0, signal.SIGKILL)
        ends = await asyncio.gather(*load, return_exceptions=True)
        assert [end for end in ends if not isinstance(end, AWAY)] == []
        server.start()
        # The same process goes on: every broken connection is noticed and replaced.
        done = (await lanes.view()).source.done
        assert RangeSet.of(answered) - done == RangeSet()
        assert len(done) - len(answered) <= len(load)
        missing = done.holes(1)
        if missing:
            await lanes.accept(*missing)
        assert await broken(registry) == {}


async def test_a_server_is_started_stopped_and_started_again(server: EmbeddedPostgres) -> None:
    assert server.pid() is None
    url = server.start()
    pid = server.pid()
    assert pid is not None
    assert server.start() == url
    assert server.pid() == pid
    server.stop()
    assert server.pid() is None
    server.stop()
    assert server.start() == url
    assert server.pid() not in {None, pid}


async def test_many_programs_start_one_server(server: EmbeddedPostgres) -> None:
    with ThreadPoolExecutor(4) as pool:
        urls = [pool.submit(server.start) for _ in range(4)]
        assert len({url.result() for url in urls}) == 1
    os.kill(server.pid() or 0, signal.SIGKILL)
    with ThreadPoolExecutor(4) as pool:
        urls = [pool.submit(server.start) for _ in range(4)]
        assert len({url.result() for url in urls}) == 1
    assert await ask(server.url(), "SELECT 1") == 1


async def test_a_server_has_the_settings_of_production(server: EmbeddedPostgres) -> None:
    url = server.start()
    for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
        assert await ask(url, f"SHOW {name}") == "on"
    assert await ask(url, "SHOW listen_addresses") == ""
    assert await ask(url, "SELECT current_database()") == DATABASE
    assert int(await ask(url, "SHOW server_version_num")) // 10_000 == version()
    assert (server.data.stat().st_mode & 0o077) == 0


async def test_the_pid_of_another_program_does_not_keep_a_server_down(
    server: EmbeddedPostgres,
) -> None:
    """As after a reboot that came too suddenly."""
    server.start()
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    lines = (server.data / "postmaster.pid").read_text().splitlines()
    (server.data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert server.pid() is None
    server.start()
    assert server.pid() not in {None, pid}


async def test_a_directory_with_a_long_name_has_its_socket_elsewhere(
    server: EmbeddedPostgres,
) -> None:
    deep = own_server(server.directory / ("long" * 30))
    try:
        url = deep.start()
        assert await ask(url, "SELECT 1") == 1
        assert str(deep.data) not in url
    finally:
        deep.stop()


async def test_a_commit_whose_wait_for_the_standby_was_cut_did_not_answer(
    server: EmbeddedPostgres,
) -> None:
    """The server says it succeeded, and warns that no standby has it."""
    url = server.start()
    await schema.migrate(url)
    async with await PostgresRegistry.connect(url) as registry:
        lanes = await opened(registry)
        admin = await asyncpg.connect(dsn(url))
        await admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        await admin.execute("SELECT pg_reload_conf()")
        accepting = asyncio.create_task(lanes.accept(1))
        pausing = asyncio.create_task(registry.lanes.pause(lanes.lanes[1].key, "x", ADMIN))
        while not (accepting.done() and pausing.done()):
            await admin.execute(CUT)
        for asked in (accepting, pausing):
            with pytest.raises(CommitUnknown) as caught:
                await asked
            assert caught.value.problem.startswith("warning")
        await admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()
        # Whether it happened is found out by reading again.
        assert (await lanes.view()).source.done == RangeSet.of([1])
        assert await registry.lanes.pause(lanes.lanes[1].key, "x", ADMIN)
        await lanes.accept(2)


CUT = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


def test_a_server_comes_back_where_the_directory_above_it_was_closed(
    server: EmbeddedPostgres,
) -> None:
    server.start()
    server.directory.chmod(0o700)
    server.stop()
    assert server.pid() is None
    server.directory.chmod(0o700)
    server.start()
    assert server.pid() is not None
