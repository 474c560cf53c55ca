"""How a call that sends a stream ended.

``grpc.aio`` calls every write that fails INTERNAL, and forgets what the server had said before it
(grpc issue 36066): a suspended peer would read of an internal error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Ending:
    """The first status of a call, whatever a later write makes of it."""

    def __init__(self, call: Any) -> None:
        """How *call* ends, a ``grpc.aio`` call that has just begun."""
        self._call = call
        self._first: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._keep)

    async def status(self) -> grpc.aio.AioRpcError:
        """What the call ended with, OK too; waits for its end."""
        await self._call.code()
        return self._first or await self._status()

    def _keep(self, _: object) -> None:
        if self._first is None:
            self._first = _at_once(self._status())

    async def _status(self) -> grpc.aio.AioRpcError:
        call = self._call
        return grpc.aio.AioRpcError(
            await call.code(),
            await call.initial_metadata(),
            await call.trailing_metadata(),
            await call.details(),
        )


def _at_once(work: Coroutine[Any, Any, grpc.aio.AioRpcError]) -> grpc.aio.AioRpcError:
    """What *work* returns, which has nothing to wait for: the call has its status."""
    try:
        work.send(None)
    except StopIteration as done:
        found: grpc.aio.AioRpcError = done.value
        return found
    work.close()
    raise RuntimeError("a call that is done has no status")
