"""A process that steps aside: its own share of time is the least, and it ends with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from adapters.bench.aside import AUTOGROUP, NICENESS

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


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel shares time among processes alone")
def test_its_session_is_nice_too() -> None:
    program = STEPS + f"print(open({str(AUTOGROUP)!r}).read())\n"
    assert said(program)[1].endswith(f"nice {NICENESS}")


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
