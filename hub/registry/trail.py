"""What every change by a person leaves behind: its audit event, and its request id.

Both are written in the change's own transaction.

Source: design section 6; AIP-155 (request identification).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, text, update

from hub.core.errors import RequestIdReused
from hub.registry.tables.audit import audit_events, requests

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.ports.caller import Caller

KEPT_HOURS = 24
ATTEMPTS_KEPT_DAYS = 30

_CLAIM = text(
    f"""
    INSERT INTO requests AS r (identity, request_id, digest)
    VALUES (:identity, :request_id, :digest)
    ON CONFLICT (identity, request_id) DO UPDATE
        SET digest = excluded.digest, result = '', recorded_at = clock_timestamp()
        WHERE r.recorded_at <= clock_timestamp() - interval '{KEPT_HOURS} hours'
    RETURNING 1
    """  # noqa: S608 - a constant of ours
)
_FORGET = text(
    f"DELETE FROM requests WHERE recorded_at <= clock_timestamp() - interval '{KEPT_HOURS} hours'"  # noqa: S608
)

_FORGET_ATTEMPTS = text(
    f"DELETE FROM attempts WHERE at <= clock_timestamp() - interval '{ATTEMPTS_KEPT_DAYS} days'"  # noqa: S608
)


async def claim(connection: AsyncConnection, by: Caller) -> str | None:
    """The result of the same request, if it was carried out before; else it is claimed, and None.

    A second one at the same time waits for the first. Raises ``RequestIdReused``.
    """
    if not by.request_id:
        return None
    key = {"identity": by.identity, "request_id": by.request_id}
    claimed = await connection.execute(_CLAIM, {**key, "digest": by.digest})
    if claimed.scalar_one_or_none() is not None:
        return None
    stored = await connection.execute(
        requests.select().where(
            requests.c.identity == by.identity, requests.c.request_id == by.request_id
        )
    )
    known = stored.one()
    if known.digest != by.digest:
        raise RequestIdReused(request_id=by.request_id)
    return str(known.result)


async def set_result(connection: AsyncConnection, by: Caller, result: str) -> None:
    """The claimed request of *by*, if it has an id, is remembered with its *result*."""
    await connection.execute(
        update(requests)
        .where(requests.c.identity == by.identity, requests.c.request_id == by.request_id)
        .values(result=result)
    )


async def audit(
    connection: AsyncConnection,
    by: Caller,
    action: str,
    subject: str,
    *,
    revision: int = 1,
    detail: str = "",
) -> None:
    """The change of *subject* to its *revision* is in the audit trail."""
    await connection.execute(
        insert(audit_events).values(
            identity=by.identity,
            request_id=by.request_id,
            action=action,
            subject=subject,
            revision=revision,
            detail=detail,
        )
    )


async def forget(connection: AsyncConnection) -> None:
    """Request ids older than a day and attempts older than a month are gone."""
    await connection.execute(_FORGET)
    await connection.execute(_FORGET_ATTEMPTS)
