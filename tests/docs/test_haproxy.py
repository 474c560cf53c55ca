"""The front proxy as it is shipped: sessions pass, and connections are counted by address."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from ydhub.peer.v1 import peer_service_pb2 as pb
from ydhub.peer.v1.peer_service_pb2_grpc import PeerServiceStub

from deploy.generate import HERE
from tests.harness import http2
from tests.harness.exchange import Exchange
from tests.harness.http2 import Connection
from tests.harness.hub_server import ADMIN, serve
from tests.harness.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.certificates import Certificates

CONFIG = HERE / "haproxy" / "haproxy.cfg"
MOST = 64
WITHIN_S = 30


@asynccontextmanager
async def front(server_port: int) -> AsyncIterator[int]:
    """The proxy runs; the port of its front to the hub."""
    port, other = free_ports(2)
    addresses = {
        "HUB_LISTEN": f"127.0.0.1:{port}",
        "RELAYER_LISTEN": f"127.0.0.1:{other}",
        "HUB_SERVER": f"127.0.0.1:{server_port}",
        "RELAYER_SERVER": f"127.0.0.1:{server_port}",
    }
    environment = {**os.environ, **addresses}
    command = ("haproxy", "-db", "-f", str(CONFIG))
    quiet = asyncio.subprocess.DEVNULL
    check = await asyncio.create_subprocess_exec(*command, "-c", env=environment, stdout=quiet)
    assert await check.wait() == 0
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=quiet)
    try:
        await _answers(port)
        yield port
    finally:
        process.kill()
        await process.wait()


async def _answers(port: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0)
            else:
                writer.transport.abort()
                return


@asynccontextmanager
async def behind(directory: Path) -> AsyncIterator[tuple[int, Certificates]]:
    """A hub behind the proxy: the front's port, and who may show what."""
    exchange = await Exchange.opened()
    async with serve(exchange.registry, directory) as served, front(served.port) as port:
        yield port, served.certificates


async def test_a_call_passes_with_the_callers_own_identity(tmp_path: Path) -> None:
    async with behind(tmp_path) as (port, certificates):
        credentials = certificates.channel(ADMIN)
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            stub: Any = PeerServiceStub(channel)
            found = await stub.GetPeer(pb.GetPeerRequest(name="peers/hangzhou"), timeout=10)
            assert found.peer.name == "peers/hangzhou"


async def test_an_address_has_so_many_connections_and_no_more(tmp_path: Path) -> None:
    async with behind(tmp_path) as (port, certificates):
        certificate, key, ca = certificates.files(ADMIN)
        tls = http2.context((certificate, key), ca)
        kept = [await Connection.open(port, tls) for _ in range(MOST)]
        with pytest.raises(OSError):  # noqa: PT011 - however a connection that is cut is told of
            await Connection.open(port, tls)
        assert not any(one.is_closed for one in kept)
        for one in kept:
            await one.close()


async def test_who_speaks_no_tls_is_hung_up_on(tmp_path: Path) -> None:
    async with behind(tmp_path) as (port, _):
        stranger = await Connection.open(port, None, greets=False)
        await stranger.send(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(WITHIN_S):
            await stranger.closed()
        await stranger.close()
