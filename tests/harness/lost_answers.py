"""A socket before a PostgreSQL server that loses the answer of one transaction, done all the same.

Transactions are counted as the server ends them: a statement of its own, or a COMMIT. The one that
is to be lost is answered by the end of its connection.

Source: PostgreSQL documentation, "Message Formats": CommandComplete (C), PortalSuspended
(s, where no more rows are wanted), ReadyForQuery (Z).
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SOCKET: Final = ".s.PGSQL.5432"
_CHUNK: Final = 65_536
_HEAD: Final = 5
_DONE: Final = (b"C", b"s")


class LostAnswers:
    """Everything that one socket carries."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._left = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.lost = 0
        """Answers that were lost so far."""

    def lose(self, number: int) -> None:
        """The answer of transaction *number* from now on is lost; of none for 0."""
        self._left = number

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, target = await asyncio.open_unix_connection(str(self._server))
        ways = [
            asyncio.ensure_future(_carry(reader, target)),
            asyncio.ensure_future(self._answer(there, writer)),
        ]
        self._tasks.update(ways)
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for task in ways:
            task.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self._tasks.difference_update(ways)
        for one in (writer, target):
            one.transport.abort()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Messages of the server, whole ones; ends where one is lost."""
        did_something = False
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(_HEAD)
                body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
                is_over = head[:1] == b"Z" and body == b"I" and did_something
                did_something = (did_something or head[:1] in _DONE) and not is_over
                if is_over and self._left:
                    self._left -= 1
                    if not self._left:
                        self.lost += 1
                        return
                writer.write(head + body)
                await writer.drain()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()


@asynccontextmanager
async def losing(url: str) -> AsyncIterator[tuple[LostAnswers, str]]:
    """Before the server at *url*, which has a socket; and the address through it."""
    place = make_url(url)
    lossy = LostAnswers(Path(str(place.query["host"])) / _SOCKET)
    with tempfile.TemporaryDirectory(prefix="ydhub-") as directory:
        server = await asyncio.start_unix_server(lossy.serve, Path(directory) / _SOCKET)
        through = place.update_query_dict({"host": directory})
        try:
            yield lossy, through.render_as_string(hide_password=False)
        finally:
            server.close()
            await lossy.stop()
