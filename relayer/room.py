"""Room for so many bytes: whoever wants some waits until it is free, in fair turns.

Those who have the least of it go first (steps/fewest.py); nobody goes before one whose turn it is,
however little it wants, so that one who wants much is not passed by for ever.

Source: reliability notes section 6 (fairness).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from relayer.steps.fewest import Fewest, Taken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from relayer.steps.shares import Path

_Turn = asyncio.Future[Any]
"""What somebody waits for: its ``Taken``, which names this in turn."""


class Room:
    """Bytes that may be held, and who waits for some."""

    def __init__(self, size: int) -> None:
        """At most *size* bytes are held at once, but by one who alone wants more."""
        self._size = size
        self.held = 0
        """Bytes that are held."""
        self._line: Fewest[_Turn] = Fewest()
        self._next: Taken[_Turn] | None = None
        """Whose turn it is, as soon as there is room for it."""

    @asynccontextmanager
    async def hold(self, *path: str, size: int) -> AsyncIterator[None]:
        """So many bytes, 1 or more, are held under *path*, as soon as there is room."""
        taken = await self._begin(path, size)
        try:
            yield
        finally:
            self._end(taken)

    async def _begin(self, path: Path, size: int) -> Taken[_Turn]:
        turn: asyncio.Future[Taken[_Turn]] = asyncio.get_running_loop().create_future()
        self._line.put(path, turn, size)
        self._grant()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._end(turn.result())
            else:
                self._grant()  # others may have waited for this one
            raise

    def _end(self, taken: Taken[_Turn]) -> None:
        self.held -= taken.weight
        self._line.end(taken)
        self._grant()

    def _grant(self) -> None:
        while (taken := self._next or self._line.take()) is not None:
            self._next = taken
            if taken.item.done():  # given up meanwhile
                self._line.end(taken)
            elif self.held and self.held + taken.weight > self._size:
                return
            else:
                self.held += taken.weight
                taken.item.set_result(taken)
            self._next = None
