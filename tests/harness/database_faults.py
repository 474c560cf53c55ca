"""A development network's PostgreSQL that refuses connections, or is slow."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import asyncpg
import psutil

from hub.cli.dev.layout import POSTGRES
from hub.registry.embedded import DATABASE, EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.network import LiveNetwork

STOPPED_S: Final = 0.2
RUNNING_S: Final = 0.1
_END: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"


@asynccontextmanager
async def refusing(live: LiveNetwork) -> AsyncIterator[None]:
    """The registry's database has ended every connection, and takes none."""
    url = EmbeddedPostgres(live.network.layout.postgres).url("postgres")
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false")
        await connection.fetch(_END, DATABASE)
        yield
    finally:
        await connection.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true")
        await connection.close()


@asynccontextmanager
async def slow(live: LiveNetwork) -> AsyncIterator[None]:
    """The server stands still two thirds of the time."""
    number = live.network.number(POSTGRES)
    assert number is not None
    task = asyncio.ensure_future(_hinder(psutil.Process(number)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _hinder(server: psutil.Process) -> None:
    while True:
        stopped = [server, *server.children()]
        try:
            _signal(stopped, signal.SIGSTOP)
            await asyncio.sleep(STOPPED_S)
        finally:
            _signal(stopped, signal.SIGCONT)
        await asyncio.sleep(RUNNING_S)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
