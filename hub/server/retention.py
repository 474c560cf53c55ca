"""Drop days of records that are older than what is kept, now and then, while the hub server runs.

Of several servers one does it at a time; a day that cannot go yet is tried again.

Source: reliability notes section 3 (Cybersecurity Law: records of six months stay).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from hub.core.errors import FieldInvalid, HubError
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import date

    from hub.ports.clock import Clock

LEAST_KEPT_DAYS: Final = 180
EVERY: Final = Duration(3600 * SECOND)
IDENTITY: Final = "ydhub-server"
"""Who dropped a day, in the audit trail."""

_log = structlog.get_logger()


def check(field: str, keep_days: int) -> None:
    """*keep_days* are as many as must be kept. Raises ``FieldInvalid``."""
    if keep_days < LEAST_KEPT_DAYS:
        problem = f"is {keep_days}, and at least {LEAST_KEPT_DAYS} are kept"
        raise FieldInvalid(field=field, problem=problem)


async def watch(
    retire: Callable[[int, str], Awaitable[list[date]]], clock: Clock, keep_days: int
) -> None:
    """Days before the last *keep_days* are dropped by *retire*, now and hourly, until cancelled."""
    while True:
        try:
            await retire(keep_days, IDENTITY)
        except HubError as error:
            _log.warning("days_not_retired", reason=error.reason, detail=str(error))
        except Exception:  # noqa: BLE001 - a bug costs one round; the next one tries again
            _log.exception("retention_broke")
        await clock.sleep(EVERY)
