"""A call that has begun must go on: its message comes soon, and no caller has too many under way.

gRPC hands a call with one request over only when the request is there, so who never sends it would
hold one of the server's few places for as long as it likes, unseen: 640 such calls on twenty
connections of one peer, and every call of everybody else was refused. Here such a call is taken as
a stream of one message, which on the wire it is: its caller is known at once, and the wait is ours.
Then of everybody else's calls none is refused.

Source: reliability notes, section 4 ("slow sender").
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_status import rpc_status

from hub.core.errors import FieldInvalid, HubError, RateLimited
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.server.interceptors.around import write_all
from hub.server.interceptors.rates import host_of
from hub.server.limits import ARRIVES_WITHIN
from hub.wire.status import to_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from hub.server.interceptors.around import Context, Handler

RETRY: Final = Duration(SECOND)


class Arrivals(grpc.aio.ServerInterceptor):
    """Stands outermost, and counts calls by caller: its identity, or its host if it shows none."""

    def __init__(self, most: int, within: Duration = ARRIVES_WITHIN) -> None:
        """Of one caller *most* calls at once, each with its message *within* (ns) its beginning."""
        self._most = most
        self._within_s = within / SECOND
        self._calls: Counter[str] = Counter()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler[Any, Any] | None:
        """The handler of the method, as one that takes a stream."""
        handler = await continuation(handler_call_details)
        return handler and self._wrapped(handler)

    def _wrapped(self, handler: Handler[Any, Any]) -> Handler[Any, Any]:
        async def answer(requests: AsyncIterator[Any], context: Context[Any, Any]) -> Any:
            with self._counted(context) as refusal:
                request = refusal or await self._first(requests, handler)
                if isinstance(request, HubError):
                    await _refuse(context, request)
                inner: Any = handler.unary_unary
                return await inner(request, context)

        async def stream(requests: AsyncIterator[Any], context: Context[Any, Any]) -> None:
            with self._counted(context) as refusal:
                request = refusal or await self._first(requests, handler)
                if isinstance(request, HubError):
                    await _refuse(context, request)
                inner: Any = handler.stream_stream or handler.unary_stream
                await write_all(inner(request, context), context)

        make: Any = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        wrapped: Handler[Any, Any] = make(
            stream if handler.response_streaming else answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return wrapped

    async def _first(self, requests: AsyncIterator[Any], handler: Handler[Any, Any]) -> Any:
        """The one request, or all of them where the method streams; or why there is none."""
        if handler.request_streaming:
            return requests
        try:
            async with asyncio.timeout(self._within_s):
                return await anext(aiter(requests))
        except StopAsyncIteration:
            return FieldInvalid(field="request", problem="did not come")
        except TimeoutError:
            problem = f"did not come within {self._within_s:g} s"
            return FieldInvalid(field="request", problem=problem)

    @contextmanager
    def _counted(self, context: Context[Any, Any]) -> Iterator[RateLimited | None]:
        """One call more of the caller; yields why it is one too many, if it is."""
        caller = who(context)
        self._calls[caller] += 1
        try:
            if self._calls[caller] > self._most:
                what = f"{caller} has {self._most} calls"
                yield RateLimited(what=what, wait_ms=RETRY // MILLISECOND)
            else:
                yield None
        finally:
            self._calls[caller] -= 1
            if not self._calls[caller]:
                del self._calls[caller]


def who(context: Context[Any, Any]) -> str:
    """Whom a call is counted for; nobody is believed by that."""
    shown = list(context.auth_context().get("peer_spiffe_id", ()))
    return shown[0].decode(errors="replace") if shown else host_of(context.peer())


async def _refuse(context: Context[Any, Any], error: HubError) -> None:
    status = to_status(error, secrets.token_hex(8))
    await context.abort_with_status(rpc_status.to_status(status))
