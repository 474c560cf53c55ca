"""Every call has an id: the caller's own, or a fresh one; it is in every log line of the call."""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import structlog

from hub.server.call import REQUEST_ID
from hub.server.interceptors.around import Around

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from hub.core.time import Timestamp
    from hub.ports.clock import Clock
    from hub.server.interceptors.around import Context

METADATA_KEY = "x-request-id"
_OWN = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = ("/grpc.health.v1.Health/",)

_log = structlog.get_logger()


class RequestIds(Around):
    """Names the call, and logs its end."""

    def __init__(self, clock: Clock) -> None:
        """Calls are timed by *clock*."""
        self._clock = clock

    @asynccontextmanager
    async def around(
        self, method: str, request: Message | None, context: Context[Any, Any]
    ) -> AsyncIterator[None]:
        """As said above."""
        del request
        given = str(dict(context.invocation_metadata() or ()).get(METADATA_KEY, ""))
        request_id = given if _OWN.fullmatch(given) else secrets.token_hex(8)
        REQUEST_ID.set(request_id)
        started_at = self._clock.monotonic()
        with structlog.contextvars.bound_contextvars(request_id=request_id, method=method):
            try:
                yield
            except asyncio.CancelledError:
                self._log_end("CANCELLED", started_at)
                raise
            except grpc.aio.AbortError:
                self._log_end(context.code().name, started_at)
                raise
            else:
                if not method.startswith(_QUIET):
                    self._log_end("OK", started_at)

    def _log_end(self, code: str, started_at: Timestamp) -> None:
        duration_us = (self._clock.monotonic() - started_at) // 1_000
        _log.info("call_ended", code=code, duration_us=duration_us)
