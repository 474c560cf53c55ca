"""Migrations lead to the schema that the code declares: up, down and up again, by one head."""

from __future__ import annotations

import asyncio
import re
from io import StringIO
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from hub.registry import schema
from hub.registry.tables import metadata
from tests.harness.postgres import dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Connection

    from tests.harness.postgres import Databases

PHASES = {"expand", "backfill", "contract"}
CATALOGUE = """
SELECT 'column', table_name || '.' || column_name,
    concat_ws(' ', data_type, udt_name, is_nullable, column_default, collation_name)
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'constraint', conrelid::regclass::text || ' ' || conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'option', relname, reloptions::text FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
UNION ALL
SELECT 'comment', objoid::regclass::text, description FROM pg_description
WHERE classoid = 'pg_class'::regclass AND objsubid = 0
    AND objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
UNION ALL
SELECT 'partition', partrelid::regclass::text, pg_get_partkeydef(partrelid)
FROM pg_partitioned_table
ORDER BY 1, 2, 3
"""
OF_ALEMBIC = "alembic_version"


@pytest.fixture
async def url(databases: Databases) -> AsyncIterator[str]:
    """An empty database."""
    yield await databases.empty()
    await databases.drop()


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    return ScriptDirectory.from_config(config)


async def ask(url: str, query: str) -> list[Any]:
    connection = await asyncpg.connect(dsn(url))
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def catalogue(url: str) -> list[Any]:
    """Everything that the schema is made of, but for Alembic's own table."""
    return [row for row in await ask(url, CATALOGUE) if OF_ALEMBIC not in str(row)]


def test_there_is_one_head_and_the_code_needs_one_that_stands() -> None:
    assert scripts().get_heads() == [schema.REVISION]


def test_every_revision_says_its_phase_and_number() -> None:
    numbers = []
    for revision in scripts().walk_revisions():
        phase = revision.module.phase
        assert phase in PHASES
        name = str(revision.module.__file__).rpartition("/")[2]
        assert re.fullmatch(rf"{revision.revision}_{phase}_\w+\.py", name)
        numbers.append(revision.revision)
    assert all(re.fullmatch(r"\d{4}", number) for number in numbers)
    assert numbers == sorted(numbers, reverse=True)


async def test_the_migrated_schema_is_what_the_code_declares(
    url: str, databases: Databases
) -> None:
    await schema.migrate(url)
    declared = await databases.empty()
    await declare(declared)
    migrated = await catalogue(url)
    assert len(migrated) > 100
    assert migrated == await catalogue(declared)


async def declare(url: str) -> None:
    """The tables of the metadata stand, and the one function that their checks call."""
    script = (schema.MIGRATIONS / "sql/0001_tables.sql").read_text()
    [function] = re.findall(r"CREATE FUNCTION range_count.*?';\n", script, re.DOTALL)
    await run(url, function)
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()


async def run(url: str, script: str) -> None:
    connection = await asyncpg.connect(dsn(url))
    await connection.execute(script)
    await connection.close()


async def test_alembic_finds_nothing_to_generate(url: str) -> None:
    await schema.migrate(url)

    def compare(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    assert found == []


async def test_up_down_and_up_again_is_the_same(url: str) -> None:
    assert await schema.migrate(url) == schema.REVISION
    first = await catalogue(url)
    assert await schema.apply(url, lambda config: command.downgrade(config, "base")) == schema.NONE
    assert await catalogue(url) == []
    assert await ask(url, "SELECT proname FROM pg_proc WHERE pronamespace = 2200") == []
    assert await schema.migrate(url) == schema.REVISION
    assert await catalogue(url) == first


async def test_migrating_again_changes_nothing(url: str) -> None:
    await schema.migrate(url)
    before = await catalogue(url)
    assert await schema.migrate(url) == schema.REVISION
    assert await catalogue(url) == before


async def test_many_programs_migrate_one_after_another(url: str) -> None:
    revisions = await asyncio.gather(*[schema.migrate(url) for _ in range(4)])
    assert revisions == [schema.REVISION] * 4


async def test_a_migration_that_fails_leaves_nothing(url: str) -> None:
    await run(url, "CREATE TABLE outcomes ()")
    with pytest.raises(asyncpg.DuplicateTableError):
        await schema.migrate(url)
    assert await ask(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [
        ("outcomes",)
    ]


async def test_every_script_begins_with_the_limits_under_which_it_runs(url: str) -> None:
    printed = StringIO()

    def print_sql(config: Config) -> None:
        config.output_buffer = printed
        command.upgrade(config, "head", sql=True)

    await schema.apply(url, print_sql)
    script = printed.getvalue()
    assert script.count("SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = '900s'") == 2
    assert "CREATE TABLE lane_sides" in script
