"""A process that steps aside: its own share of time is the least, and it ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from adapters.bench import aside
from adapters.bench.aside import AUTOGROUP, NICENESS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

STEPS = (
    "import os\n"
    "from adapters.bench.aside import step_aside\n"
    "step_aside()\n"
    "step_aside()\n"
    "print(os.getpid(), os.getsid(0), os.getpriority(os.PRIO_PROCESS, 0), flush=True)\n"
)
ENDS_WITHIN_S = 10
STAYS = STEPS + "import threading\nthreading.Event().wait()\n"
STARTS = (
    "import subprocess, sys, threading\n"
    f"subprocess.Popen([sys.executable, '-c', {STAYS!r}])\n"
    "threading.Event().wait()\n"
)


def said(program: str) -> list[str]:
    """What the *program* says in its one line."""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return ran.stdout.decode().splitlines()


def test_it_has_a_session_of_its_own_and_is_the_nicest() -> None:
    number, session, niceness = said(STEPS)[0].split()
    assert number == session
    assert int(niceness) == NICENESS


def test_its_session_is_nice_too_where_there_are_shares_of_sessions() -> None:
    program = STEPS + (
        f"from pathlib import Path\ngroup = Path({str(AUTOGROUP)!r})\n"
        "print(group.read_text().split(' ', 1)[1] if group.exists() else 'no shares')\n"
    )
    wanted = f"nice {NICENESS}" if AUTOGROUP.exists() else "no shares"
    assert said(program)[1] == wanted


def test_a_kernel_that_is_busy_is_told_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waits: list[float] = []
    busy = tmp_path / "autogroup"
    busy.mkdir()  # writing to it fails until it is a file

    def wait(seconds: float) -> None:
        waits.append(seconds)
        busy.rmdir()
        busy.touch()

    monkeypatch.setattr(aside, "AUTOGROUP", busy)
    monkeypatch.setattr("time.sleep", wait)
    aside._be_nice_as_a_session()
    assert (busy.read_text(), len(waits)) == (f"{NICENESS}\n", 1)


def test_it_ends_with_the_process_that_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline().split()[0])
        parent.send_signal(signal.SIGKILL)
        try:
            # The child holds the other end of the pipe.
            assert parent.communicate(timeout=ENDS_WITHIN_S)[0] == b""
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
