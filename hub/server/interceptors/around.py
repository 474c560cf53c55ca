"""One way to stand around a call, for all four kinds of handlers.

An interceptor says what happens before and after, as an asynchronous context manager; the request
is given to it where there is exactly one.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final

import grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from google.protobuf.message import Message

Context = grpc.aio.ServicerContext
Handler = grpc.RpcMethodHandler
_GONE: Final = (grpc.aio.UsageError, grpc.aio.InternalError)
"""What a write ends with whose caller has left."""


class Around(grpc.aio.ServerInterceptor):
    """An interceptor of every call."""

    @abstractmethod
    def around(
        self, method: str, request: Message | None, context: Context[Any, Any]
    ) -> AbstractAsyncContextManager[None]:
        """What surrounds one call; *request* is None where the caller streams."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler[Any, Any] | None:
        """The handler of the method with this interceptor around it."""
        handler = await continuation(handler_call_details)
        return handler and self._wrapped(handler_call_details.method, handler)

    def _wrapped(self, method: str, handler: Handler[Any, Any]) -> Handler[Any, Any]:
        if handler.request_streaming:
            kind = "stream_stream" if handler.response_streaming else "stream_unary"
        else:
            kind = "unary_stream" if handler.response_streaming else "unary_unary"
        inner = getattr(handler, kind)

        async def answer(request: Any, context: Context[Any, Any]) -> Any:
            single = None if handler.request_streaming else request
            async with self.around(method, single, context):
                return await inner(request, context)

        async def stream(request: Any, context: Context[Any, Any]) -> None:
            single = None if handler.request_streaming else request
            async with self.around(method, single, context):
                await write_all(inner(request, context), context)

        make = getattr(grpc, f"{kind}_rpc_method_handler")
        wrapped: Handler[Any, Any] = make(
            stream if handler.response_streaming else answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return wrapped


async def write_all(
    answers: AsyncIterator[Any] | Awaitable[None], context: Context[Any, Any]
) -> None:
    """The answers of a handler that yields them, or the end of one that writes them itself.

    Where the caller is gone, that is no fault of ours: raises ``asyncio.CancelledError``.
    """
    if hasattr(answers, "__aiter__"):
        async for answer in answers:
            try:
                await context.write(answer)
            except _GONE as error:
                raise asyncio.CancelledError from error
    else:
        await answers
