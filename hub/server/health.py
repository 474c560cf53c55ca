"""grpc.health.v1, with the List that the stock servicer lacks; the registry's state is in it.

Source: gRFC A90 (List); grpc/health/v1/health.proto.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog
from grpc_health.v1 import health, health_pb2

from hub.core.errors import HubError
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    import grpc
    from google.protobuf.message import Message

    from hub.server.hub import Hub

ASK_EVERY: Final = Duration(2 * SECOND)
ANSWER_WITHIN_S: Final = 2
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

_log = structlog.get_logger()


class Health(health.aio.HealthServicer):
    """The health of the process (the empty name) and of each service."""

    def __init__(self, hub: Hub, services: Iterable[str]) -> None:
        """Nothing serves yet."""
        super().__init__()
        self._hub = hub
        self._names = ("", *services)
        self._statuses: dict[str, int] = dict.fromkeys(self._names, _NOT_SERVING)
        self._draining = False

    async def List(  # noqa: N802 - the method's name in the contract
        self,
        request: Message,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> Message:
        """Every name and its status."""
        del request, context
        statuses = {
            name: health_pb2.HealthCheckResponse(status=status)
            for name, status in self._statuses.items()
        }
        answer: Message = health_pb2.HealthListResponse(  # type: ignore[attr-defined]
            statuses=statuses
        )
        return answer

    async def watch_registry(self) -> None:
        """Statuses follow the registry's, until cancelled."""
        while True:
            await self.ask_registry()
            await self._hub.clock.sleep(ASK_EVERY)

    async def ask_registry(self) -> None:
        """Statuses are what the registry's answer says now."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._hub.registry.audit.ready()
        except (HubError, TimeoutError, OSError) as error:
            await self._become(_NOT_SERVING, str(error))
        else:
            await self._become(_SERVING, "")

    async def drain(self) -> None:
        """Everybody is told that nothing serves any more, for good."""
        self._draining = True
        self._statuses = dict.fromkeys(self._names, _NOT_SERVING)
        await self.enter_graceful_shutdown()

    async def _become(self, status: int, cause: str) -> None:
        if self._draining or self._statuses[""] == status:
            return
        _log.info("health_changed", is_serving=status == _SERVING, cause=cause)
        self._statuses = dict.fromkeys(self._names, status)
        for name in self._names:
            await self.set(name, status)
