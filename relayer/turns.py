"""Turns at one chain, which takes so many attempts at once as its adapter has granted.

What ends packets and what brings new ones share them evenly, and so do the peers at the lanes'
other ends, and each peer's lanes (steps/fewest.py). A large attempt counts as several small ones.

Source: design section 5; reliability notes section 6 (fairness).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from relayer.steps.fewest import Fewest, Taken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from relayer.steps.shares import Path

ITEM_QUANTUM: Final = 64
"""Items that add one to the weight of an attempt."""


class Turn:
    """An attempt's turn: given back while it waits for something that the chain has no part in."""

    def __init__(self, turns: Turns, path: Path, items: int) -> None:
        """Not taken yet."""
        self._turns = turns
        self._path = path
        self._items = items
        self._taken: Taken[_Turn] | None = None

    async def take(self) -> None:
        """It is the attempt's turn, as soon as it is."""
        self._taken = await self._turns.begin(self._path, self._items)

    def give_back(self) -> None:
        """Others may have it; nothing, where it is not taken."""
        taken, self._taken = self._taken, None
        if taken is not None:
            self._turns.end(taken)


_Turn = asyncio.Future[Any]
"""What an attempt waits for: its ``Taken``, which names this in turn."""


class Turns:
    """Attempts with one chain: those under way, and those that wait."""

    def __init__(self, limit: int) -> None:
        """At most *limit* attempts are under way at once."""
        self._free = limit
        self._line: Fewest[_Turn] = Fewest()

    @asynccontextmanager
    async def turn(self, *path: str, items: int = 1) -> AsyncIterator[Turn]:
        """An attempt with *items* under *path* (way, peer and lane), when it is its turn."""
        turn = Turn(self, path, items)
        await turn.take()
        try:
            yield turn
        finally:
            turn.give_back()

    async def begin(self, path: Path, items: int) -> Taken[_Turn]:
        """A turn, when it comes; ``end`` must follow."""
        turn: asyncio.Future[Taken[_Turn]] = asyncio.get_running_loop().create_future()
        self._line.put(path, turn, 1 + items // ITEM_QUANTUM)
        self._grant()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.end(turn.result())
            raise

    def end(self, taken: Taken[_Turn]) -> None:
        """The turn is over."""
        self._free += 1
        self._line.end(taken)
        self._grant()

    def _grant(self) -> None:
        while self._free and (taken := self._line.take()) is not None:
            if taken.item.done():  # given up meanwhile
                self._line.end(taken)
            else:
                self._free -= 1
                taken.item.set_result(taken)
