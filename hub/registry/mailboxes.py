"""Hints within one process: whoever listens has a mailbox of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.ports.registry import Change


class Mailbox:
    """Changes that one listener has not taken yet, repeated ones once."""

    def __init__(self) -> None:
        """An empty one."""
        self._waiting: dict[Change, None] = {}
        self._filled = asyncio.Event()

    def put(self, change: Change) -> None:
        """*change* waits to be taken."""
        self._waiting[change] = None
        self._filled.set()

    async def take(self) -> Change:
        """The change that waits longest, as soon as there is one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        change = next(iter(self._waiting))
        del self._waiting[change]
        return change


class LocalChanges:
    """``hub.ports.registry.Changes`` of one process, for itself."""

    def __init__(self) -> None:
        """Nobody listens yet."""
        self._mailboxes: dict[Mailbox, None] = {}
        """In the order in which they began to listen, so that a run can be repeated."""

    def announce(self, change: Change) -> None:
        """Every mailbox holds *change*."""
        for mailbox in self._mailboxes:
            mailbox.put(change)

    def listen(self) -> AsyncIterator[Change]:
        """Changes announced from this call on."""
        mailbox = Mailbox()
        self._mailboxes[mailbox] = None
        return self._changes(mailbox)

    def relax(self, is_relaxed: bool) -> None:  # noqa: FBT001
        """Nothing waits here."""
        del is_relaxed

    async def _changes(self, mailbox: Mailbox) -> AsyncIterator[Change]:
        try:
            while True:
                yield await mailbox.take()
        finally:
            self._mailboxes.pop(mailbox, None)
