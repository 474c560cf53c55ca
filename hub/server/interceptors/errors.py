"""Failures become statuses, here and nowhere else."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import structlog
from grpc_status import rpc_status

from hub.core.errors import Corrupt, HubError
from hub.server.call import REQUEST_ID
from hub.server.interceptors.around import Around
from hub.wire.status import to_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message

    from hub.server.interceptors.around import Context

_log = structlog.get_logger()


class Errors(Around):
    """Ends a failed call with the status of its error; what is no ``HubError`` is a bug."""

    @asynccontextmanager
    async def around(
        self, method: str, request: Message | None, context: Context[Any, Any]
    ) -> AsyncIterator[None]:
        """As said above."""
        del method, request
        try:
            yield
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing of it may leave
            _note(error)
            status = to_status(error, REQUEST_ID.get())
            await context.abort_with_status(rpc_status.to_status(status))


def _note(error: Exception) -> None:
    if isinstance(error, Corrupt):
        _log.error("record_corrupt", reason=error.reason, **error.metadata)
    elif isinstance(error, HubError):
        _log.info("call_refused", reason=error.reason, detail=str(error))
    else:
        _log.exception("call_failed")
