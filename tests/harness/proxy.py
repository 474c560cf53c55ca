"""A TCP proxy that fails as networks do: it cuts, it holds back, it swallows, it is slow.

Source: reliability notes section 7.1.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from ssl import SSLContext

_CHUNK: Final = 65_536


@dataclass
class Way:
    """One direction of all connections."""

    delay_s: float = 0
    """Each chunk is late by that."""
    bytes_per_s: int = 0
    """0 means as many as there are."""
    is_open: bool = True
    """A closed way swallows nothing and passes nothing: the bytes wait, as with packets lost."""
    vanishes: bool = False
    """Bytes are taken and go nowhere, and nobody hears of it: half a connection is left."""
    cut_after: int = -1
    """Bytes that pass before the connection is reset in the middle of whatever it is; -1: all."""


class Proxy:
    """Everything that one listener carries."""

    def __init__(self, target: str, tls: SSLContext | None) -> None:
        self._target = target
        self._tls = tls
        self.out, self.back = Way(), Way()
        """From the dialling side to the target, and back."""
        self.dialled = 0
        """Connections so far."""
        self.address = ""
        self._changed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Every connection is reset, on both sides; new ones may come."""
        for writer in list(self._writers):
            writer.transport.abort()

    def hold(self, *, out: bool = True, back: bool = True) -> None:
        """Nothing passes these ways, and nobody is told."""
        self.out.is_open, self.back.is_open = not out, not back

    def vanish(self, *, out: bool = True, back: bool = True) -> None:
        """What comes these ways is gone, now and later; a connection of now is of no use again."""
        self.out.vanishes, self.back.vanishes = out, back

    def cut_after(self, count: int) -> None:
        """A connection is reset after *count* further bytes, either way."""
        self.out.cut_after = self.back.cut_after = count

    def go_on(self) -> None:
        """What waited passes, and all that follows, as it comes."""
        for way in (self.out, self.back):
            way.is_open, way.delay_s, way.bytes_per_s = True, 0, 0
            way.vanishes, way.cut_after = False, -1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def slow_down(self, *, delay_s: float, bytes_per_s: int) -> None:
        for way in (self.out, self.back):
            way.delay_s, way.bytes_per_s = delay_s, bytes_per_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.dialled += 1
        self._writers.add(writer)
        try:
            there, target = await self._dial()
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(target)
        ways = [
            asyncio.ensure_future(self._carry(reader, target, self.out)),
            asyncio.ensure_future(self._carry(there, writer, self.back)),
        ]
        self._tasks.update(ways)
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for task in ways:
            task.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self._tasks.difference_update(ways)
        for one in (writer, target):
            self._writers.discard(one)
            one.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._target.startswith("/"):
            return await asyncio.open_unix_connection(self._target)
        host, _, port = self._target.rpartition(":")
        return await asyncio.open_connection(host, int(port), ssl=self._tls)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                rate = way.bytes_per_s
                await asyncio.sleep(way.delay_s + (len(chunk) / rate if rate else 0))
                while not way.is_open:
                    await self._changed.wait()
                if way.vanishes:
                    continue
                if 0 <= way.cut_after < len(chunk):
                    writer.write(chunk[: way.cut_after])
                    way.cut_after = -1
                    self.cut()
                    return
                way.cut_after = max(way.cut_after - len(chunk), -1)
                writer.write(chunk)
                await writer.drain()


@asynccontextmanager
async def proxy_to(target: str, tls: SSLContext | None = None) -> AsyncIterator[Proxy]:
    """A proxy in front of *target*, host:port or the path of a socket; at first it passes all.

    With *tls* it speaks TLS to the target, for a dialling side that speaks none.
    """
    proxy = Proxy(target, tls)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        proxy.go_on()
        proxy.cut()
        await server.wait_closed()
