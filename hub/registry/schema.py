"""Which schema this program needs, whether a database serves it, and how it gets there.

A program runs on a database that is at its own revision, or at a later one that still serves it
(expand, deploy, contract): the database says in ``schema_floor`` which programs it serves. It also
refuses a database that could lose what it has acknowledged.

Source: operations.md 3.7; reliability.md section 9, "boot check refuses".
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

import hub
from hub.core.errors import DatabaseUnfit, SchemaVersionMismatch
from hub.registry.engine import answering, open_engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from alembic.config import Config
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

REVISION: Final = "0002"
"""The revision that this program needs."""
OLDEST_SERVER: Final = 15
NONE: Final = "none"
"""The revision of a database without a schema."""

MIGRATIONS: Final = Path(hub.__file__).parent.parent / "migrations"
_LOCK: Final = text("SELECT pg_try_advisory_lock(hashtextextended('ydhub:migrate', 0))")
_POLL_SECONDS: Final = 0.25

_DURABLE: Final = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "remote_apply"},
    "data_checksums": {"on"},
    "in_recovery": {"off"},
}
"""Settings without which an answered commit may be lost, or a damaged page go unnoticed."""


def _nobody() -> None:
    """Nobody listens."""


async def migrate(url: str, stepped: Callable[[], None] = _nobody) -> str:
    """The database at *url* is at the newest revision; returns it.

    *stepped* is called for each revision, before it is committed. Waits while another program
    migrates. Raises ``RegistryUnreachable``.
    """

    def upgrade(config: Config) -> None:
        from alembic import command  # noqa: PLC0415 - 9 MB, and only who migrates needs them

        config.attributes["stepped"] = stepped
        command.upgrade(config, "head")

    return await apply(url, upgrade)


async def apply(url: str, step: Callable[[Config], None]) -> str:
    """*step* is carried out by Alembic, alone; returns the revision then.

    Raises ``RegistryUnreachable``.
    """
    engine = open_engine(url, session="ydhub/migrate")
    try:
        with answering():
            async with engine.connect() as guard, engine.connect() as connection:
                # A session that only polls holds no transaction that others would wait for.
                await guard.execution_options(isolation_level="AUTOCOMMIT")
                # Another program that holds the lock sends no event.
                while not (await guard.execute(_LOCK)).scalar_one():  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_SECONDS)
                await connection.run_sync(_run, step)
                await connection.commit()
                return await revision(guard)
    finally:
        await engine.dispose()


async def check(connection: AsyncConnection) -> None:
    """The database serves this program, and loses nothing that it has acknowledged.

    Raises ``DatabaseUnfit`` or ``SchemaVersionMismatch``.
    """
    await _check_server(connection)
    found = await revision(connection)
    floor = NONE
    if found != NONE:
        floor = (await connection.execute(text("SELECT revision FROM schema_floor"))).scalar_one()
    if found == NONE or not floor <= REVISION <= found:
        raise SchemaVersionMismatch(got=found, expected=REVISION)


async def revision(connection: AsyncConnection) -> str:
    """The revision of the database's schema; ``NONE`` before the first migration."""
    stands = await connection.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    if not stands.scalar_one():
        return NONE
    found = await connection.execute(text("SELECT version_num FROM alembic_version"))
    return str(found.scalar_one_or_none() or NONE)


def is_durable(name: str, value: str) -> bool:
    """Whether an answered commit survives under the setting."""
    return value in _DURABLE[name]


async def settings(connection: AsyncConnection) -> list[tuple[str, str]]:
    """(name, value) of every setting that durability rests on."""
    names = [name for name in _DURABLE if name != "in_recovery"]
    shown = await connection.execute(
        text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)"), {"names": names}
    )
    found = {row.name: row.setting for row in shown}
    standby = await connection.execute(text("SELECT pg_is_in_recovery()"))
    found["in_recovery"] = "on" if standby.scalar_one() else "off"
    return [(name, found[name]) for name in _DURABLE]


async def _check_server(connection: AsyncConnection) -> None:
    version = await connection.execute(text("SHOW server_version_num"))
    major = int(version.scalar_one()) // 10_000
    if major < OLDEST_SERVER:
        expected = f"PostgreSQL {OLDEST_SERVER} or later"
        raise DatabaseUnfit(got=f"PostgreSQL {major}", expected=expected)
    for name, value in await settings(connection):
        if not is_durable(name, value):
            good = " or ".join(sorted(_DURABLE[name]))
            raise DatabaseUnfit(got=f"{name}={value}", expected=f"{name}={good}")


def _run(connection: Connection, step: Callable[[Config], None]) -> None:
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    step(config)
