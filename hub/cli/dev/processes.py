"""Processes that outlive the command that started them, found again by their pid files.

A pid file holds the process's number and when it started, so that another process that got the
number later is not taken for ours.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.core.errors import AnswerOverdue
from hub.core.time import MILLISECOND, SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.cli.dev.layout import Layout

POLL_S: Final = 0.05
_STARTED: Final = 19
"""Place of the start time behind the name in /proc/PID/stat. Source: proc(5), field 22."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of one development network, by name."""

    layout: Layout

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> int:
        """*command* runs on its own, its output in the log; its number."""
        log, pid_file = self.layout.log(name), self.layout.pid(name)
        for directory in (log.parent, pid_file.parent):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        number = os.posix_spawn(
            command[0],
            list(command),
            {**os.environ, **(environment or {})},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        pid_file.write_text(f"{number} {_started(number) or 0}\n", encoding="ascii")
        return number

    def number(self, name: str) -> int | None:
        """The number of the process while it runs; None where it does not."""
        try:
            text = self.layout.pid(name).read_text(encoding="ascii")
            number, started = map(int, text.split())
        except (OSError, ValueError):
            return None
        with suppress(ChildProcessError):  # another command's child is init's to reap
            os.waitpid(number, os.WNOHANG)
        return number if started and _started(number) == started else None

    def is_running(self, name: str) -> bool:
        """Whether the process runs."""
        return self.number(name) is not None

    def send(self, name: str, what: signal.Signals) -> bool:
        """The process got the signal; False where it does not run."""
        number = self.number(name)
        if number is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(number, what)
        return True

    async def stop(self, name: str, within: Duration) -> None:
        """The process has ended: asked first, killed *within* (ns) later; its pid file is gone.

        Raises ``AnswerOverdue`` where not even killing ends it.
        """
        for what, patience in ((signal.SIGTERM, within), (signal.SIGKILL, 5 * SECOND)):
            if not self.send(name, what):
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(patience / SECOND):
                    await self.wait_for_end(name)
        if self.is_running(name):
            raise AnswerOverdue(what=f"the end of {name}", waited_ms=within // MILLISECOND)
        self.layout.pid(name).unlink(missing_ok=True)

    async def wait_for_end(self, name: str) -> None:
        """Returns once the process does not run."""
        while self.is_running(name):  # noqa: ASYNC110 - the other process sets no event
            await asyncio.sleep(POLL_S)


def _started(number: int) -> int | None:
    """When the process started, in ticks since the machine did; None for none, or a dead one."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[_STARTED])
