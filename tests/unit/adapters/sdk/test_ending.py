from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import grpc

from adapters.sdk.ending import Ending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[Any, Any], Awaitable[None]]

CALLS = 100


@asynccontextmanager
async def answered_by(handler: Handler) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server whose one method is *handler*."""
    server = grpc.aio.server()
    methods: dict[str, Any] = {"Call": grpc.stream_stream_rpc_method_handler(handler)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def write_until_it_fails(call: Any) -> None:
    with suppress(grpc.aio.AioRpcError):
        while not call.done():
            await call.write(b"frame")


async def refuse(_: Any, context: Any) -> None:
    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no", (("x-cause", "it is known"),))


async def test_what_the_server_said_stands_whatever_a_later_write_makes_of_it() -> None:
    forgotten = 0
    async with answered_by(refuse) as channel:
        for _ in range(CALLS):
            call: Any = channel.stream_stream("/test/Call")()
            ending = Ending(call)
            await write_until_it_fails(call)
            status = await ending.status()
            assert (status.code().name, status.details()) == ("PERMISSION_DENIED", "no")
            assert ("x-cause", "it is known") in list(status.trailing_metadata())
            forgotten += await call.code() is grpc.StatusCode.INTERNAL
    assert forgotten, "grpc.aio keeps what the server said: Ending is not needed any more"


async def test_a_call_that_ends_in_peace_is_ok() -> None:
    async def serve(requests: Any, _: Any) -> None:
        await anext(requests)

    async with answered_by(serve) as channel:
        call: Any = channel.stream_stream("/test/Call")()
        ending = Ending(call)
        await call.write(b"frame")
        assert (await ending.status()).code() is grpc.StatusCode.OK


async def test_a_call_that_was_over_before_is_known_too() -> None:
    async with answered_by(refuse) as channel:
        call: Any = channel.stream_stream("/test/Call")()
        assert await call.code() is grpc.StatusCode.PERMISSION_DENIED
        assert (await Ending(call).status()).details() == "no"
