"""Hints between processes by NOTIFY, on connections of their own.

NOTIFY takes a lock that the whole database shares, until its transaction ends. So it stands in no
transaction of a change: hints go out afterwards, all that wait in one. This process's own listeners
are told at once and not again. Connections that break are made anew; what was said meanwhile is
lost, and found by the slow poll of whoever listens.

Source: design section 5; performance.md section 8.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from hub.ports.registry import Change, Topic
from hub.registry.engine import AWAY, answering, discard, driver_of
from hub.registry.mailboxes import LocalChanges

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from hub.registry.engine import Database

_TOPICS: Final = frozenset(Topic)
_CHANNEL: Final = "ydhub_changes"
_NOTIFY: Final = "SELECT pg_notify($1, $2)"
_MAX_PAYLOAD: Final = 7000
"""Bytes; Postgres takes fewer than 8000."""
_PAUSE_SECONDS: Final = 0.01
"""Between notifications: each is a commit under the lock; what is announced meanwhile is in one."""
_RELAXED_SECONDS: Final = 0.1
"""The same where only watchers are told."""
_RETRY_SECONDS: Final = 0.5
_PING_SECONDS: Final = 10
_PING_TIMEOUT: Final = 5


class PostgresChanges:
    """``hub.ports.registry.Changes`` in Postgres."""

    def __init__(self, database: Database) -> None:
        """Nothing is said or heard before ``start``."""
        self._database = database
        self._here = LocalChanges()
        self._waiting: dict[str, None] = {}
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._own_pid = 0
        self._pause = _PAUSE_SECONDS
        self.listening = asyncio.Event()
        """Set while hints of other processes are heard."""

    def start(self) -> None:
        """Hints go out and come in from now on, until ``close``."""
        self._tasks = [
            asyncio.create_task(_for_ever(task)) for task in (self._notify, self._listen)
        ]

    async def close(self) -> None:
        """Nothing is said or heard any more."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    def announce(self, change: Change) -> None:
        """As the port says."""
        self._here.announce(change)
        self._waiting[f"{change.topic} {change.key}"] = None
        self._filled.set()

    def announce_here(self, change: Change) -> None:
        """*change* is told to this process's listeners alone."""
        self._here.announce(change)

    def listen(self) -> AsyncIterator[Change]:
        """As the port says."""
        return self._here.listen()

    def relax(self, is_relaxed: bool) -> None:  # noqa: FBT001
        """As the port says."""
        self._pause = _RELAXED_SECONDS if is_relaxed else _PAUSE_SECONDS

    async def _notify(self) -> None:
        connection = await self._database.connect()
        try:
            driver = await driver_of(connection)
            self._own_pid = driver.get_server_pid()
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._waiting:
                    lines = self._take()
                    try:
                        await driver.execute(_NOTIFY, _CHANNEL, "\n".join(lines))
                    except BaseException:
                        self._wait_again(lines)
                        raise
                await asyncio.sleep(self._pause)
        finally:
            await discard(connection)

    async def _listen(self) -> None:
        connection = await self._database.connect()
        try:
            driver = await driver_of(connection)
            broken = asyncio.Event()
            driver.add_termination_listener(lambda _: broken.set())
            await driver.add_listener(_CHANNEL, self._hear)
            self.listening.set()
            while not broken.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(broken.wait(), _PING_SECONDS)
                await driver.execute("SELECT 1", timeout=_PING_TIMEOUT)
        finally:
            self.listening.clear()
            await discard(connection)

    def _hear(self, _connection: Any, pid: int, _channel: str, payload: object) -> None:
        if pid == self._own_pid:
            return
        for line in str(payload).splitlines():
            topic, _, key = line.partition(" ")
            # A later program may have more to tell.
            if topic in _TOPICS:
                self._here.announce(Change(Topic(topic), key))

    def _take(self) -> list[str]:
        """What waits, as far as one payload holds it."""
        lines: list[str] = []
        size = 0
        while self._waiting and size < _MAX_PAYLOAD:
            line = next(iter(self._waiting))
            del self._waiting[line]
            lines.append(line)
            size += len(line.encode()) + 1
        return lines

    def _wait_again(self, lines: list[str]) -> None:
        """*lines* were not said."""
        self._waiting = dict.fromkeys(lines) | self._waiting
        self._filled.set()


async def _for_ever(task: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """*task* runs, and runs again a little later whenever its connection breaks."""
    while True:
        with suppress(*AWAY), answering():
            await task()
        await asyncio.sleep(_RETRY_SECONDS)
