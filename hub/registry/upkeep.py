"""What every process does for the registry hourly: partitions for a week, and old rows that go.

Source: design section 5.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog

from hub.core.errors import DatabaseUnfit, HubError
from hub.core.time import SECOND, Duration
from hub.registry.partitions import make_partitions
from hub.registry.trail import forget

if TYPE_CHECKING:
    from hub.registry.engine import Database

EVERY: Final = Duration(3600 * SECOND)
AGAIN: Final = Duration(30 * SECOND)
"""After a round that failed."""

_log = structlog.get_logger()


async def prepare(database: Database) -> None:
    """The days of a week have their partitions.

    Raises ``DatabaseUnfit`` where our role may not make them, and as ``make_partitions``.
    """
    try:
        await make_partitions(database)
    except asyncpg.InsufficientPrivilegeError as error:
        got, expected = f"a role that may not make partitions ({error})", "the owner of its tables"
        raise DatabaseUnfit(got=got, expected=expected) from error


async def keep_up(database: Database) -> None:
    """Every hour there are partitions for a week, and old request ids and attempts are gone."""
    wait = EVERY
    while True:
        await asyncio.sleep(wait / SECOND)
        wait = await turn(database)


async def turn(database: Database) -> Duration:
    """How long to wait for the next turn (ns). One that failed is told, and done again soon."""
    try:
        await prepare(database)
        async with database.transaction() as connection:
            await forget(connection)
    except HubError as error:
        _log.warning("upkeep_failed", reason=error.reason, detail=str(error))
    except Exception:  # noqa: BLE001 - a bug costs one turn; the next one tries again
        _log.exception("upkeep_broke")
    else:
        return EVERY
    return AGAIN
