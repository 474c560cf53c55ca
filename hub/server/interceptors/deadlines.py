"""A call that is answered once must say how long its caller waits."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from hub.core.errors import FieldInvalid
from hub.server.interceptors.around import Around
from hub.server.limits import MAX_DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from hub.server.interceptors.around import Context

_STREAMS = (
    "/grpc.health.v1.Health/Watch",
    "/ydhub.hub.v1.WatchService/WatchPeers",
    "/ydhub.hub.v1.WatchService/WatchClients",
    "/ydhub.hub.v1.WatchService/WatchLanes",
    "/ydhub.hub.v1.WatchService/WatchPackets",
)


class Deadlines(Around):
    """Refuses a single request without a deadline, or with one that is too far."""

    @asynccontextmanager
    async def around(
        self, method: str, request: Message | None, context: Context[Any, Any]
    ) -> AsyncIterator[None]:
        """As said above. Raises ``FieldInvalid``."""
        left: float | None = context.time_remaining()
        is_bounded = left is not None and left <= MAX_DEADLINE_S
        if request is not None and method not in _STREAMS and not is_bounded:
            problem = f"is not set, or further than {MAX_DEADLINE_S} s"
            raise FieldInvalid(field="deadline", problem=problem)
        yield
