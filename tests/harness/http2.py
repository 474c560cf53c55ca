"""HTTP/2 by hand, as much of it as an attacker needs: what no library would send.

Source: RFC 9113, sections 4.1 (frames), 6 (kinds), 3.4 (preface); RFC 7541, section 6.2.2 (a field
without indexing) and 5.1 (integers).
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
CANCEL: Final = 8
_READ: Final = 64 * 1024
_SHORT: Final = 127
"""The greatest integer of seven bits that needs no more octets, and one more."""
_HIGH: Final = 128


class Kind(IntEnum):
    """What a frame is."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


def frame(kind: Kind, stream: int = 0, payload: bytes = b"", flags: int = 0) -> bytes:
    """One frame."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def header_block(fields: Iterable[tuple[str, str]]) -> bytes:
    """*fields*, each without indexing and without Huffman's code."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def request(path: str, *more: tuple[str, str]) -> bytes:
    """The header block of a gRPC call of *path*."""
    fixed = (
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    )
    return header_block((*fixed, *more))


def reset(stream: int) -> bytes:
    """The stream is cancelled."""
    return frame(Kind.RST_STREAM, stream, CANCEL.to_bytes(4, "big"))


def context(files: tuple[Path, Path] | None, ca: Path) -> ssl.SSLContext:
    """TLS that offers HTTP/2, with the certificate of *files* if there are any."""
    made = ssl.create_default_context(cafile=str(ca))
    made.check_hostname = False
    made.set_alpn_protocols(["h2"])
    if files is not None:
        made.load_cert_chain(files[0], files[1])
    return made


def clock_s() -> float:
    """The running loop's clock (s), which never steps back."""
    return asyncio.get_running_loop().time()


class Connection:
    """One connection, and what the other side has said on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """It is open; nothing was said."""
        self.counts: dict[int, int] = {}
        """Frames heard, by kind."""
        self._reader, self._writer = reader, writer
        self._hearing = asyncio.ensure_future(self._hear())

    @classmethod
    async def open(
        cls, port: int, tls: ssl.SSLContext | None, *, settings: bytes = b"", greets: bool = True
    ) -> Connection:
        """A connection to the loopback's *port*, and, if it *greets*, the preface is sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        made = cls(reader, writer)
        if greets:
            await made.send(PREFACE + frame(Kind.SETTINGS, payload=settings))
        return made

    @property
    def is_closed(self) -> bool:
        """Whether the other side has ended it."""
        return self._hearing.done()

    def stop_reading(self) -> None:
        """Nothing is taken from the socket any more."""
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def send(self, content: bytes) -> None:
        """*content* is on its way; nothing happens where the other side has ended it."""
        with suppress(OSError, ssl.SSLError):
            self._writer.write(content)
            await self._writer.drain()

    async def closed(self) -> None:
        """Returns once the other side has ended it."""
        await asyncio.wait([self._hearing])

    async def close(self) -> None:
        """It is over, without a word."""
        self._hearing.cancel()
        transport = self._writer.transport
        transport.abort()
        await asyncio.wait([self._hearing])

    async def _hear(self) -> None:
        """Frames are counted until the end; settings and pings are acknowledged."""
        with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
            while True:
                head = await self._reader.readexactly(9)
                payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                self.counts[head[3]] = self.counts.get(head[3], 0) + 1
                if head[3] == Kind.SETTINGS and not head[4] & ACK:
                    await self.send(frame(Kind.SETTINGS, flags=ACK))
                if head[3] == Kind.PING and not head[4] & ACK:
                    await self.send(frame(Kind.PING, payload=payload, flags=ACK))


def _text(text: str) -> bytes:
    content = text.encode()
    return _length(len(content)) + content


def _length(value: int) -> bytes:
    """*value* as an integer with a prefix of seven bits."""
    if value < _SHORT:
        return bytes([value])
    octets, value = [_SHORT], value - _SHORT
    while value >= _HIGH:
        octets.append(value % _HIGH | _HIGH)
        value //= _HIGH
    return bytes([*octets, value])
