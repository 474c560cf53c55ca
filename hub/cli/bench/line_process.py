"""A program that is asked over its input and answers over its output, a JSON document a line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from hub.core.errors import AnswerOverdue

if TYPE_CHECKING:
    from pathlib import Path

_LINE: Final = 1 << 30
"""Most bytes of an answer."""
_END_S: Final = 10
LAST_LINES: Final = 12


class LineProcess:
    """A running program; questions are put one at a time."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        """*process* is called *name* where it fails; what it says besides is in *log*."""
        self.name = name
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, name: str, module: str, *arguments: str, log: Path) -> Self:
        """``python -m`` *module* runs, in a session of its own: interrupting us does not end it."""
        with log.open("ab") as stream:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stream,
                limit=_LINE,
                start_new_session=True,
            )
        return cls(name, process, log)

    @property
    def number(self) -> int:
        """The process's number."""
        return self._process.pid

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Its answer. Raises ``AnswerOverdue`` where it fails, with what it says about that."""
        assert self._process.stdin is not None  # noqa: S101 - it was started with pipes
        with suppress(ConnectionError):
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            await self._process.stdin.drain()
        return await self.hear()

    async def hear(self) -> dict[str, Any]:
        """The next thing that it says. Raises ``AnswerOverdue``."""
        assert self._process.stdout is not None  # noqa: S101 - it was started with pipes
        line = await self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"failed": self._last_lines()}
        if "failed" in answer:
            raise failure(self.name, answer["failed"])
        return answer

    async def close(self) -> None:
        """It has ended: its input is over; killed, with all that it started, where it lingers."""
        assert self._process.stdin is not None  # noqa: S101 - it was started with pipes
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    def _last_lines(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]


def failure(name: str, said: str) -> AnswerOverdue:
    """That *name* has failed, with the last lines of what it said."""
    error = AnswerOverdue(what=f"{name} has failed and is", waited_ms=0)
    for line in said.strip().splitlines()[-LAST_LINES:]:
        error.add_note(line)
    return error
