"""What Alembic runs: the registry's migrations over asyncpg, or their SQL.

A connection is given by hub/registry/schema.py; from the command line it is that of
``YDHUB_DATABASE_URL``.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING

from alembic import context

from hub.registry.engine import database_url, open_engine
from hub.registry.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

URL_VARIABLE = "YDHUB_DATABASE_URL"
PARTITION = re.compile(r"(packets|proofs|outcomes)_\d{8}")
"""A day of facts; programs make and drop them (hub/registry/partitions.py)."""


def is_declared(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or PARTITION.fullmatch(name or "") is None


def stepped(*_: object, **_what: object) -> None:
    """Whoever migrates hears that a revision is applied; it is not committed yet."""
    tell = context.config.attributes.get("stepped")
    if tell is not None:
        tell()


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_name=is_declared,
        transaction_per_migration=True,
        on_version_apply=stepped,
    )
    with context.begin_transaction():
        context.run_migrations()


async def migrate_from_command_line() -> None:
    engine = open_engine(os.environ[URL_VARIABLE], session="alembic")
    try:
        async with engine.connect() as connection:
            await connection.run_sync(migrate)
            await connection.commit()
    finally:
        await engine.dispose()


def print_sql() -> None:
    url = database_url(os.environ.get(URL_VARIABLE, "postgresql://"))
    context.configure(url=url, target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if context.is_offline_mode():
    print_sql()
elif given is not None:
    migrate(given)
else:
    asyncio.run(migrate_from_command_line())
