"""Requests between relayer processes, in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import (
    AdapterOffline,
    AnswerOverdue,
    LeaseLost,
    LimitExceeded,
    RateLimited,
)
from hub.core.time import MILLISECOND, SECOND, Timestamp
from hub.ports.forwarding import (
    EXPIRES_AFTER,
    MAX_BYTES,
    MAX_WAITING,
    ForwardedAnswer,
    ForwardedRequest,
)
from hub.ports.registry import Topic
from hub.registry.memory.state import ForwardedRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hub.core.ids import PeerId
    from hub.ports.forwarding import ForwardKind
    from hub.ports.leases import Fence
    from hub.registry.memory.state import State


class MemoryForwarding:
    """``hub.ports.forwarding.Forwarding`` in memory."""

    def __init__(self, state: State) -> None:
        """The requests of *state*."""
        self._state = state
        self._number = 0

    async def ask(self, peer: PeerId, kind: ForwardKind, content: bytes, asked_by: str) -> int:
        """As the port says."""
        if len(content) > MAX_BYTES:
            raise LimitExceeded(what="bytes of a request", count=len(content), limit=MAX_BYTES)
        self._expire()
        if not self._is_owned(peer, asked_by):
            raise AdapterOffline(peer=peer)
        rows = self._state.forwarded
        if sum(row.peer == peer for row in rows.values()) >= MAX_WAITING:
            raise RateLimited(what=f"requests to peers/{peer}", wait_ms=SECOND // MILLISECOND)
        self._number += 1
        expires_at = Timestamp(self._state.now() + EXPIRES_AFTER)
        rows[self._number] = ForwardedRow(peer, kind, content, asked_by, expires_at)
        self._state.announce(Topic.FORWARDED, peer)
        return self._number

    async def take(self, fence: Fence, limit: int) -> Sequence[ForwardedRequest]:
        """As the port says."""
        self._check(fence)
        self._expire()
        found: list[ForwardedRequest] = []
        for number, row in self._state.forwarded.items():
            if row.peer == fence.peer and row.answer is None and row.epoch < fence.epoch:
                if len(found) == limit:
                    break
                row.epoch = fence.epoch
                found.append(
                    ForwardedRequest(
                        number=number, peer=fence.peer, kind=row.kind, content=row.content
                    )
                )
        return found

    async def asked(self, peers: Collection[PeerId]) -> Sequence[PeerId]:
        """As the port says."""
        self._expire()
        rows = self._state.forwarded.values()
        return sorted({row.peer for row in rows if row.answer is None and row.peer in peers})

    async def answer(self, fence: Fence, number: int, answer: ForwardedAnswer) -> None:
        """As the port says."""
        self._check(fence)
        row = self._state.forwarded.get(number)
        if row is None or row.answer is not None or row.epoch != fence.epoch:
            return
        row.answer = answer.bounded
        self._state.announce(Topic.ANSWERED, number)

    async def read(self, number: int) -> ForwardedAnswer | None:
        """As the port says."""
        self._expire()
        row = self._state.forwarded.get(number)
        if row is None:
            waited_ms = EXPIRES_AFTER // MILLISECOND
            raise AnswerOverdue(what="forwarded request", waited_ms=waited_ms)
        if row.answer is not None:
            del self._state.forwarded[number]
        elif not self._is_owned(row.peer, row.asked_by):
            raise AdapterOffline(peer=row.peer)
        return row.answer

    async def withdraw(self, number: int) -> None:
        """As the port says."""
        self._state.forwarded.pop(number, None)

    def _check(self, fence: Fence) -> None:
        if self._state.check_lease(fence).owner is None:
            raise LeaseLost(peer=fence.peer, epoch=fence.epoch)

    def _expire(self) -> None:
        now, rows = self._state.now(), self._state.forwarded
        for number in [number for number, row in rows.items() if row.expires_at <= now]:
            del rows[number]

    def _is_owned(self, peer: PeerId, asked_by: str) -> bool:
        row = self._state.leases.get(peer)
        if row is None or row.owner in {None, asked_by}:
            return False
        return row.expires_at > self._state.now()
