"""What is done hourly, and what becomes of it where the registry's role may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
from structlog.testing import capture_logs

from hub.core.errors import DatabaseUnfit, Reason
from hub.registry import upkeep
from hub.registry.partitions import DAYS_AHEAD, partition, partition_days
from hub.registry.registry import PostgresRegistry
from hub.registry.upkeep import AGAIN, EVERY, turn
from tests.harness.postgres import dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.registry.engine import Database
    from tests.harness.postgres import Databases

GUEST = "guest_of_the_registry"


@pytest.fixture
async def guests(databases: Databases) -> AsyncIterator[str]:
    """The address of a database where a new session is a guest's, who may read and write rows."""
    url = await databases.fresh()
    line = await asyncpg.connect(dsn(url))
    name = await line.fetchval("SELECT current_database()")
    last = partition("packets", await line.fetchval(f"SELECT current_date + {DAYS_AHEAD}"))
    await line.execute(f"DROP TABLE {last}; CREATE ROLE {GUEST}")
    await line.execute(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {GUEST};"
        f'ALTER ROLE CURRENT_USER IN DATABASE "{name}" SET role = {GUEST}'
    )
    try:
        yield url
    finally:
        await line.execute(f"DROP OWNED BY {GUEST}; DROP ROLE {GUEST}")
        await line.close()
        await databases.drop()


async def test_a_turn_makes_what_is_missing_and_waits_an_hour(postgres: PostgresRegistry) -> None:
    async with postgres.database.line() as line:
        last = partition("packets", await line.fetchval(f"SELECT current_date + {DAYS_AHEAD}"))
        await line.execute(f"DROP TABLE {last}")
    assert await partition_days(postgres.database) == DAYS_AHEAD - 1
    assert await turn(postgres.database) == EVERY
    assert await partition_days(postgres.database) == DAYS_AHEAD


async def test_a_role_that_may_not_make_partitions_is_refused_at_the_start(guests: str) -> None:
    with pytest.raises(DatabaseUnfit) as refused:
        await PostgresRegistry.connect(guests)
    assert refused.value.expected == "the owner of its tables"


async def test_a_role_that_lost_its_rights_meanwhile_is_told_of_and_tries_again_soon(
    guests: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: Database) -> None:
        """The start was before."""

    monkeypatch.setattr("hub.registry.registry.prepare", nothing)
    async with await PostgresRegistry.connect(guests) as registry:
        with capture_logs() as logs:
            assert await turn(registry.database) == AGAIN
        assert [(log["event"], log["reason"]) for log in logs] == [
            ("upkeep_failed", Reason.DATABASE_UNFIT)
        ]


async def test_a_bug_costs_one_turn(
    postgres: PostgresRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Database) -> None:
        raise ValueError

    monkeypatch.setattr(upkeep, "make_partitions", broken)
    with capture_logs() as logs:
        assert await turn(postgres.database) == AGAIN
    assert [log["event"] for log in logs] == ["upkeep_broke"]
