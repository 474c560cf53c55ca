from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from hub.cli.dev.layout import Layout
from hub.cli.dev.processes import Processes
from hub.core.time import MILLISECOND, SECOND, Duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAITS = "import signal; print('ready', flush=True); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + WAITS[14:]
NAME = "hub"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(Layout(tmp_path))
    yield found
    found.send(NAME, signal.SIGKILL)


def start(processes: Processes, script: str, **environment: str) -> int:
    return processes.start(NAME, [sys.executable, "-c", script], environment)


async def is_ready(processes: Processes) -> None:
    async with asyncio.timeout(20):
        while True:
            if "ready" in processes.layout.log(NAME).read_text():
                return
            await asyncio.sleep(0.02)


async def test_a_process_is_found_again_by_its_pid_file(processes: Processes) -> None:
    number = start(processes, WAITS)
    assert processes.number(NAME) == number
    assert Processes(processes.layout).is_running(NAME)
    assert os.getsid(number) == number
    assert os.getsid(number) != os.getsid(0)


async def test_a_process_that_is_asked_ends(processes: Processes) -> None:
    start(processes, WAITS)
    await is_ready(processes)
    await processes.stop(NAME, Duration(20 * SECOND))
    assert not processes.is_running(NAME)
    assert not processes.layout.pid(NAME).exists()


async def test_a_process_that_does_not_listen_is_killed(processes: Processes) -> None:
    start(processes, STUBBORN)
    await is_ready(processes)
    await processes.stop(NAME, Duration(100 * MILLISECOND))
    assert not processes.is_running(NAME)


async def test_a_killed_process_does_not_run(processes: Processes) -> None:
    start(processes, WAITS)
    assert processes.send(NAME, signal.SIGKILL)
    async with asyncio.timeout(20):
        await processes.wait_for_end(NAME)
    assert not processes.send(NAME, signal.SIGKILL)
    await processes.stop(NAME, Duration(SECOND))


async def test_another_process_of_the_number_is_not_ours(processes: Processes) -> None:
    number = start(processes, WAITS)
    text = processes.layout.pid(NAME).read_text()
    for other in (f"{number} 1\n", f"{os.getpid()} 1\n", "x\n", "", f"{number} 0\n"):
        processes.layout.pid(NAME).write_text(other)
        assert processes.number(NAME) is None
    processes.layout.pid(NAME).write_text(text)
    assert processes.number(NAME) == number


async def test_what_it_says_and_is_told_goes_through(processes: Processes) -> None:
    script = "import os, sys; print(os.environ['WORD']); print('error', file=sys.stderr)"
    start(processes, script, WORD="hello")
    async with asyncio.timeout(20):
        await processes.wait_for_end(NAME)
    start(processes, script, WORD="again")
    async with asyncio.timeout(20):
        await processes.wait_for_end(NAME)
    said = processes.layout.log(NAME).read_text().split()
    assert sorted(said) == ["again", "error", "error", "hello"]
