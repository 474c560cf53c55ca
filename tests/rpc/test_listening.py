"""What a connection may do to a listener; HTTP/2 by hand, and limits that are small enough to wait.

How much of it others feel is for ``make abuse``.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from ydhub.peer.v1 import peer_service_pb2 as pb

from hub.core.errors import Reason
from hub.core.time import MILLISECOND, Duration
from hub.server.interceptors.arrivals import Arrivals
from hub.wire import listening
from hub.wire.status import RemoteError, from_rpc_error
from tests.harness import http2
from tests.harness.certificates import Certificates
from tests.harness.clock import until
from tests.harness.http2 import END_HEADERS, Connection, Kind, frame
from tests.harness.hub_server import failure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.hub_server import Served, Stubs

WITHIN_S = 20
SHORT_MS = 200
ECHO = "/test.Echo/Echo"


class Echo:
    """A listener with the hub's limits, but for some, and one method that answers what it hears."""

    def __init__(self, certificates: Certificates, port: int) -> None:
        self.certificates = certificates
        self.port = port

    @property
    def tls(self) -> Any:
        certificate, key, ca = self.certificates.files("/peers/suzhou")
        return http2.context((certificate, key), ca)

    async def dial(self, *, greets: bool = True) -> Connection:
        """A connection over TLS."""
        return await Connection.open(self.port, self.tls, greets=greets)

    @asynccontextmanager
    async def channel(self, path: str = "/admins/li") -> AsyncIterator[Any]:
        """The method, called by the identity at *path*."""
        credentials = self.certificates.channel(path)
        options = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1))
        address = f"127.0.0.1:{self.port}"
        async with grpc.aio.secure_channel(address, credentials, options) as channel:
            yield channel.unary_unary(ECHO)


@asynccontextmanager
async def listener(
    directory: Path, arrivals: Arrivals | None = None, **changes: int
) -> AsyncIterator[Echo]:
    """A listener whose options are the hub's, but for *changes*, named without their prefix."""

    async def echo(request: bytes, context: object) -> bytes:
        return request

    options = dict(listening.CONTROL) | {f"grpc.{name}": value for name, value in changes.items()}
    server = grpc.aio.server(
        options=tuple(options.items()), interceptors=[arrivals] if arrivals else []
    )
    handlers: Any = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    certificates = Certificates.make(directory)
    port = server.add_secure_port("127.0.0.1:0", certificates.server())
    await server.start()
    try:
        yield Echo(certificates, port)
    finally:
        await server.stop(None)


async def closed(connection: Connection) -> None:
    """The other side ends it."""
    async with asyncio.timeout(WITHIN_S):
        await connection.closed()
    await connection.close()


async def test_who_says_nothing_is_hung_up_on(tmp_path: Path) -> None:
    async with listener(tmp_path, server_handshake_timeout_ms=SHORT_MS) as echo:
        await closed(await Connection.open(echo.port, None, greets=False))
        await closed(await echo.dial(greets=False))


async def test_a_connection_without_a_call_is_closed(tmp_path: Path) -> None:
    async with listener(tmp_path, max_connection_idle_ms=SHORT_MS) as echo:
        await closed(await echo.dial())


async def test_there_is_a_last_connection(tmp_path: Path) -> None:
    async with listener(tmp_path, max_allowed_incoming_connections=2) as echo:
        kept = [await echo.dial(), await echo.dial()]
        for one in kept:
            await until(lambda one=one: one.counts.get(Kind.SETTINGS))  # type: ignore[misc]
        with suppress(OSError):  # its handshake is cut, or it is closed just after
            await closed(await echo.dial())
        assert [one.is_closed for one in kept] == [False, False]
        for one in kept:
            await one.close()


async def test_streams_over_the_limit_are_refused(tmp_path: Path) -> None:
    most = dict(listening.CONTROL)["grpc.max_concurrent_streams"]
    async with listener(tmp_path) as echo:
        connection = await echo.dial()
        await until(lambda: connection.counts.get(Kind.SETTINGS))
        block = http2.request(ECHO)
        for stream in range(1, 2 * (most + 5), 2):
            await connection.send(frame(Kind.HEADERS, stream, block, END_HEADERS))
        await until(lambda: connection.counts.get(Kind.RST_STREAM) == 5)
        await connection.close()


@pytest.mark.parametrize("kind", [Kind.PING, Kind.CONTINUATION])
async def test_a_flood_that_nobody_needs_ends_the_connection(tmp_path: Path, kind: Kind) -> None:
    async with listener(tmp_path) as echo:
        connection = await echo.dial()
        field = http2.header_block([("x-k", "x" * 1000)])
        if kind is Kind.CONTINUATION:
            await connection.send(frame(Kind.HEADERS, 1, field))
        content = frame(kind, payload=bytes(8)) if kind is Kind.PING else frame(kind, 1, field)
        for _ in range(10_000):
            if connection.is_closed:
                break
            await connection.send(content)
        await closed(connection)


async def test_who_stays_at_half_of_the_limit_is_never_refused(tmp_path: Path) -> None:
    half = asyncio.Semaphore(dict(listening.CONTROL)["grpc.max_concurrent_streams"] // 2)
    async with listener(tmp_path) as echo, echo.channel() as call:

        async def ask(content: bytes) -> bytes:
            async with half:
                answer: bytes = await call(content, timeout=WITHIN_S)
                return answer

        asked = [b"%d" % number for number in range(400)]
        assert await asyncio.gather(*map(ask, asked)) == asked


async def test_what_is_large_once_unpacked_is_refused(tmp_path: Path) -> None:
    async with listener(tmp_path) as echo, echo.channel() as call:
        for compression in (None, grpc.Compression.Gzip):
            asked = call(bytes(8 * listening.MIB), timeout=WITHIN_S, compression=compression)
            assert (await failure(asked)).code == "RESOURCE_EXHAUSTED"
        assert await call(b"small", timeout=WITHIN_S) == b"small"


async def test_a_call_whose_message_does_not_come_is_ended(tmp_path: Path) -> None:
    arrivals = Arrivals(8, Duration(SHORT_MS * MILLISECOND))
    async with listener(tmp_path, arrivals) as echo:
        connection = await echo.dial()
        before = connection.counts.get(Kind.HEADERS, 0)
        block = http2.request(ECHO, ("grpc-timeout", "100S"))
        await connection.send(frame(Kind.HEADERS, 1, block, END_HEADERS))
        await until(lambda: connection.counts.get(Kind.HEADERS, 0) > before)
        await connection.send(frame(Kind.HEADERS, 3, block, END_HEADERS | http2.END_STREAM))
        await until(lambda: connection.counts.get(Kind.HEADERS, 0) > before + 1)
        await connection.close()


async def test_who_holds_calls_holds_its_own_places_alone(tmp_path: Path) -> None:
    async with listener(tmp_path, Arrivals(2)) as echo:
        connection = await echo.dial()
        await until(lambda: connection.counts.get(Kind.SETTINGS))
        block = http2.request(ECHO)
        for stream in (1, 3):
            await connection.send(frame(Kind.HEADERS, stream, block, END_HEADERS))
        async with echo.channel("/peers/suzhou") as same, echo.channel() as other:
            refused = await _refused(same)
            assert refused.reason is Reason.RATE_LIMITED
            assert await other(b"well", timeout=WITHIN_S) == b"well"
            await connection.close()
            assert await _answered(same) == b"again"


async def _refused(call: Any) -> RemoteError:
    """Why a call is refused, once one is."""
    while True:
        try:
            await call(b"", timeout=WITHIN_S)
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error)


async def _answered(call: Any) -> bytes:
    """What a call is answered, once one is."""
    while True:
        with suppress(grpc.aio.AioRpcError):
            found: bytes = await call(b"again", timeout=WITHIN_S)
            return found


async def test_held_calls_leave_the_hub_to_others(served: Served, admin: Stubs) -> None:
    certificate, key, ca = served.certificates.files("/peers/suzhou")
    tls = http2.context((certificate, key), ca)
    made = [await Connection.open(served.port, tls) for _ in range(20)]
    block = http2.request("/ydhub.peer.v1.PeerService/GetPeer", ("grpc-timeout", "100S"))
    for one in made:
        await until(lambda one=one: one.counts.get(Kind.SETTINGS))  # type: ignore[misc]
        await one.send(
            b"".join(frame(Kind.HEADERS, s, block, END_HEADERS) for s in range(1, 32, 2))
        )
    request = pb.GetPeerRequest(name="peers/hangzhou")
    for _ in range(20):
        assert (await admin.peers.GetPeer(request, timeout=WITHIN_S)).peer.name
    for one in made:
        await one.close()
