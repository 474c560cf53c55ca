"""Databases for tests: one server for a session, a fresh and migrated database for whoever asks.

The server is the embedded one, in memory where the machine has such a directory; Debian's of the
version that ``YDHUB_TEST_POSTGRES`` names; or the one that ``YDHUB_DATABASE_URL`` names. A test
module uses it by importing the fixture ``databases``.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from hub.registry import schema
from hub.registry.embedded import URL_VARIABLE, EmbeddedPostgres
from hub.registry.engine import database_url
from hub.registry.registry import PostgresRegistry

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from datetime import date

MEMORY = Path("/dev/shm")
EMBEDDED_VERSION = 18
VERSION_VARIABLE = "YDHUB_TEST_POSTGRES"


@dataclass
class Databases:
    """Databases of one server, made from one that is migrated already."""

    admin_url: str
    prefix: str
    made: list[str] = field(default_factory=list)
    count: int = 0
    day: date | None = None
    """When the template was made."""

    @property
    def template(self) -> str:
        """The name of the migrated database that others are copies of."""
        return f"{self.prefix}_template_{self.day}"

    @property
    def newest(self) -> str:
        """The address of the database that was made last."""
        return self.url(self.made[-1])

    def url(self, name: str) -> str:
        """The address of the database *name*."""
        return database_url(self.admin_url).set(database=name).render_as_string(False)

    async def fresh(self) -> str:
        """The address of a new database that has the registry's schema, and today's partitions."""
        if await self._today() != self.day:
            await self.prepare()
        return await self._create(f'TEMPLATE "{self.template}" STRATEGY FILE_COPY')

    async def empty(self) -> str:
        """The address of a new database that has nothing."""
        return await self._create("TEMPLATE template0")

    async def drop(self, *, template: bool = False) -> None:
        """Every database that was made here is gone; with *template* that one too."""
        names = [name for name in self.made if template or name != self.template]
        connection = await asyncpg.connect(dsn(self.admin_url))
        try:
            for name in names:
                await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await connection.close()
        self.made = [name for name in self.made if name not in names]

    async def prepare(self) -> None:
        """The template stands, with the partitions that a program's start makes."""
        self.day = await self._today()
        url = await self._create("TEMPLATE template0", self.template)
        await schema.migrate(url)
        await (await PostgresRegistry.connect(url)).close()

    async def _today(self) -> date:
        connection = await asyncpg.connect(dsn(self.admin_url))
        try:
            found: date = await connection.fetchval("SELECT current_date")
        finally:
            await connection.close()
        return found

    async def _create(self, like: str, name: str = "") -> str:
        self.count += 1
        name = name or f"{self.prefix}_{self.count}"
        connection = await asyncpg.connect(dsn(self.admin_url))
        try:
            await connection.execute(f'CREATE DATABASE "{name}" {like}')
        finally:
            await connection.close()
        self.made.append(name)
        return self.url(name)


def dsn(url: str) -> str:
    """*url* as asyncpg itself takes it."""
    return database_url(url).set(drivername="postgresql").render_as_string(False)


def version() -> int:
    """The major version of the servers that tests start."""
    return int(os.environ.get(VERSION_VARIABLE, EMBEDDED_VERSION))


def own_server(directory: Path) -> EmbeddedPostgres:
    """A server of that version in *directory*, not started yet.

    Raises ``FileNotFoundError`` where Debian's is not installed.
    """
    if VERSION_VARIABLE not in os.environ:
        return EmbeddedPostgres(directory)
    programs = Path(f"/usr/lib/postgresql/{version()}/bin")
    if not (programs / "initdb").exists():
        raise FileNotFoundError(f"apt-get install postgresql-{version()}")
    return EmbeddedPostgres(directory, programs)


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """A server, and databases on it."""
    prefix = f"test_{secrets.token_hex(4)}"
    if os.environ.get(URL_VARIABLE):
        yield from _used(Databases(os.environ[URL_VARIABLE], prefix))
        return
    directory = Path(tempfile.mkdtemp(prefix="ydhub-", dir=MEMORY if MEMORY.is_dir() else None))
    server = own_server(directory)
    try:
        yield from _used(Databases(server.start(), prefix))
    finally:
        server.stop()
        shutil.rmtree(directory)


def _used(databases: Databases) -> Iterator[Databases]:
    _finish(databases.prepare())
    yield databases
    _finish(databases.drop(template=True))


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """*work* is done, in a loop of its own: the first test that asks may be running in one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
