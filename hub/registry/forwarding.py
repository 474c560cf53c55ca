"""Requests between relayer processes, in Postgres.

A request is taken under a lease, and only what was taken under it is answered: an owner that was
fenced meanwhile writes nothing. What has expired is swept by whoever asks next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from hub.core.errors import AdapterOffline, AnswerOverdue, LimitExceeded, RateLimited
from hub.core.ids import PeerId
from hub.core.time import MILLISECOND, SECOND
from hub.ports.forwarding import (
    EXPIRES_AFTER,
    MAX_BYTES,
    MAX_WAITING,
    ForwardedAnswer,
    ForwardedRequest,
    ForwardKind,
)
from hub.ports.registry import Change, Topic
from hub.registry.leases import check_lease
from hub.registry.moments import lasting

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hub.ports.leases import Fence
    from hub.registry.changes import PostgresChanges
    from hub.registry.engine import Database

_EXPIRE: Final = text("DELETE FROM forwarded_requests WHERE expires_at <= clock_timestamp()")
_STATE: Final = text(
    """
    SELECT
        EXISTS (
            SELECT FROM leases
            WHERE peer = :peer AND owner <> :asked_by AND expires_at > clock_timestamp()
        ) AS is_owned,
        (SELECT count(*) FROM forwarded_requests WHERE peer = :peer) AS waiting
    """
)
_ASK: Final = text(
    """
    INSERT INTO forwarded_requests (peer, kind, content, asked_by, expires_at)
    VALUES (:peer, :kind, :content, :asked_by, clock_timestamp() + :wait)
    RETURNING request_id
    """
)
_TAKE: Final = text(
    """
    WITH found AS (
        SELECT request_id FROM forwarded_requests
        WHERE peer = :peer AND answered_at IS NULL AND expires_at > clock_timestamp()
            AND (epoch IS NULL OR epoch < :epoch)
        ORDER BY request_id LIMIT :limit FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE forwarded_requests f SET epoch = :epoch FROM found
        WHERE f.request_id = found.request_id
        RETURNING f.request_id, f.kind, f.content
    )
    SELECT request_id, kind, content FROM taken ORDER BY request_id
    """
)
_ASKED: Final = """
SELECT DISTINCT peer FROM forwarded_requests
WHERE peer = ANY($1::text[]) AND answered_at IS NULL AND expires_at > clock_timestamp()
ORDER BY peer
"""
_ANSWER: Final = text(
    """
    UPDATE forwarded_requests SET
        answered_at = clock_timestamp(), answer = :answer, reason = :reason, detail = :detail
    WHERE request_id = :number AND peer = :peer AND epoch = :epoch AND answered_at IS NULL
    """
)
_READ: Final = text(
    """
    DELETE FROM forwarded_requests
    WHERE request_id = :number AND answered_at IS NOT NULL
    RETURNING answer, reason, detail
    """
)
_WAITS: Final = text(
    """
    SELECT f.peer, EXISTS (
        SELECT FROM leases l
        WHERE l.peer = f.peer AND l.owner <> f.asked_by AND l.expires_at > clock_timestamp()
    ) AS is_owned
    FROM forwarded_requests f
    WHERE f.request_id = :number AND f.expires_at > clock_timestamp()
    """
)
_WITHDRAW: Final = text("DELETE FROM forwarded_requests WHERE request_id = :number")


class PostgresForwarding:
    """``hub.ports.forwarding.Forwarding`` in Postgres."""

    def __init__(self, database: Database, changes: PostgresChanges) -> None:
        """The requests of *database*; *changes* hears of each, and of its answer."""
        self._database = database
        self._changes = changes

    async def ask(self, peer: PeerId, kind: ForwardKind, content: bytes, asked_by: str) -> int:
        """As the port says."""
        if len(content) > MAX_BYTES:
            raise LimitExceeded(what="bytes of a request", count=len(content), limit=MAX_BYTES)
        async with self._database.transaction() as connection:
            await connection.execute(_EXPIRE)
            state = (await connection.execute(_STATE, {"peer": peer, "asked_by": asked_by})).one()
            if not state.is_owned:
                raise AdapterOffline(peer=peer)
            if state.waiting >= MAX_WAITING:
                raise RateLimited(what=f"requests to peers/{peer}", wait_ms=SECOND // MILLISECOND)
            values = {
                "peer": peer,
                "kind": kind,
                "content": content,
                "asked_by": asked_by,
                "wait": lasting(EXPIRES_AFTER),
            }
            number = int((await connection.execute(_ASK, values)).scalar_one())
        self._changes.announce(Change(Topic.FORWARDED, peer))
        return number

    async def take(self, fence: Fence, limit: int) -> Sequence[ForwardedRequest]:
        """As the port says."""
        values = {"peer": fence.peer, "epoch": fence.epoch, "limit": limit}
        async with self._database.transaction() as connection:
            await check_lease(connection, fence)
            rows = (await connection.execute(_TAKE, values)).all()
        return [
            ForwardedRequest(
                number=row.request_id,
                peer=PeerId(fence.peer),
                kind=ForwardKind(row.kind),
                content=bytes(row.content),
            )
            for row in rows
        ]

    async def asked(self, peers: Collection[PeerId]) -> Sequence[PeerId]:
        """As the port says."""
        async with self._database.line() as line:
            return [PeerId(row["peer"]) for row in await line.fetch(_ASKED, list(peers))]

    async def answer(self, fence: Fence, number: int, answer: ForwardedAnswer) -> None:
        """As the port says."""
        kept = answer.bounded
        values = {
            "peer": fence.peer,
            "epoch": fence.epoch,
            "number": number,
            "answer": kept.content,
            "reason": kept.reason,
            "detail": kept.detail,
        }
        async with self._database.transaction() as connection:
            await check_lease(connection, fence)
            await connection.execute(_ANSWER, values)
        self._changes.announce(Change(Topic.ANSWERED, str(number)))

    async def read(self, number: int) -> ForwardedAnswer | None:
        """As the port says."""
        async with self._database.transaction() as connection:
            row = (await connection.execute(_READ, {"number": number})).one_or_none()
            if row is not None:
                return ForwardedAnswer(bytes(row.answer), row.reason, row.detail)
            waits = (await connection.execute(_WAITS, {"number": number})).one_or_none()
        if waits is None:
            waited_ms = EXPIRES_AFTER // MILLISECOND
            raise AnswerOverdue(what="forwarded request", waited_ms=waited_ms)
        if not waits.is_owned:
            raise AdapterOffline(peer=waits.peer)
        return None

    async def withdraw(self, number: int) -> None:
        """As the port says."""
        async with self._database.transaction() as connection:
            await connection.execute(_WITHDRAW, {"number": number})
