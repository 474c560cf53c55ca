"""A program stops at its start where the database does not serve it, or could lose what it says."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from hub.core.errors import DatabaseUnfit, SchemaVersionMismatch
from hub.registry import schema
from hub.registry.registry import PostgresRegistry
from tests.harness.postgres import MEMORY, dsn, own_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from hub.registry.embedded import EmbeddedPostgres
    from tests.harness.postgres import Databases


@pytest.fixture
async def url(databases: Databases) -> AsyncIterator[str]:
    """A migrated database."""
    yield await databases.fresh()
    await databases.drop()


@pytest.fixture(scope="module")
def own() -> Iterator[EmbeddedPostgres]:
    """A server whose settings may be changed."""
    directory = Path(tempfile.mkdtemp(prefix="ydhub-", dir=MEMORY if MEMORY.is_dir() else None))
    server = own_server(directory)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(directory)


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn(url))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def refusal(
    url: str, kind: type[SchemaVersionMismatch | DatabaseUnfit] = SchemaVersionMismatch
) -> tuple[str, str]:
    """What the database is, and what the program needs."""
    with pytest.raises(kind) as caught:
        await PostgresRegistry.connect(url)
    error = caught.value
    assert isinstance(error, (SchemaVersionMismatch, DatabaseUnfit))
    return error.got, error.expected


async def test_a_database_without_a_schema_is_refused(databases: Databases) -> None:
    assert await refusal(await databases.empty()) == ("none", schema.REVISION)
    await databases.drop()


async def test_an_older_schema_is_refused(url: str) -> None:
    await execute(url, "UPDATE alembic_version SET version_num = '0000'")
    assert await refusal(url) == ("0000", schema.REVISION)


async def test_a_later_schema_that_still_serves_this_program_is_taken(url: str) -> None:
    await execute(url, "UPDATE alembic_version SET version_num = '0009'")
    async with await PostgresRegistry.connect(url) as registry:
        assert await registry.audit.schema_revision() == "0009"


async def test_a_later_schema_that_no_longer_serves_this_program_is_refused(url: str) -> None:
    await execute(
        url,
        "UPDATE alembic_version SET version_num = '0009'",
        "UPDATE schema_floor SET revision = '0005'",
    )
    assert await refusal(url) == ("0009", schema.REVISION)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("synchronous_commit", "off"),
        ("synchronous_commit", "local"),
        ("synchronous_commit", "remote_write"),
    ],
)
async def test_a_server_that_could_lose_what_it_answered_is_refused(
    own: EmbeddedPostgres, setting: str, value: str
) -> None:
    url = own.url()
    await schema.migrate(url)
    await execute(url, f"ALTER SYSTEM SET {setting} = {value}", "SELECT pg_reload_conf()")
    try:
        got, expected = await refusal(url, DatabaseUnfit)
    finally:
        await execute(url, f"ALTER SYSTEM RESET {setting}", "SELECT pg_reload_conf()")
    assert got == f"{setting}={value}"
    assert expected.startswith(f"{setting}=on")


async def test_a_server_without_checksums_is_refused(own: EmbeddedPostgres) -> None:
    url = own.url()
    await schema.migrate(url)
    own.stop()
    own._run("pg_checksums", "--disable", "-D", str(own.data))
    own.start()
    try:
        assert await refusal(url, DatabaseUnfit) == ("data_checksums=off", "data_checksums=on")
    finally:
        own.stop()
        own._run("pg_checksums", "--enable", "-D", str(own.data))
        own.start()


async def test_a_standby_is_refused(own: EmbeddedPostgres) -> None:
    url = own.url()
    await schema.migrate(url)
    own.stop()
    signal = own.data / "standby.signal"
    signal.touch()
    shutil.copymode(own.data / "PG_VERSION", signal)
    own.start()
    try:
        assert await refusal(url, DatabaseUnfit) == ("in_recovery=on", "in_recovery=off")
    finally:
        own.stop()
        signal.unlink()
        own.start()
