from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.harness.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

HELD = "from hub.wire import lifeline\nlifeline.hold()\nprint('held', flush=True)\n"
WAITS = "import signal\nsignal.pause()\n"
DRAINS = (
    "import signal, sys\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit('drained'))\n" + HELD + WAITS
)
LINGERS = (
    "import signal\n"
    "from hub.wire import lifeline\n"
    "lifeline.GRACE_S = 0.05\n"
    "signal.signal(signal.SIGTERM, lambda *_: None)\n" + HELD + "while True: signal.pause()\n"
)
STARTER = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE,\n"
    "                         start_new_session=True)\n"
    "child.wait()\n"
)
"""Starts a program, keeps the other end of its input, and says nothing of it anywhere."""


def started(program: str, *arguments: str) -> subprocess.Popen[str]:
    """The program runs; its output and its complaints are read together."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


@pytest.fixture(name="run")
def _run(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    with started(*request.param) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("run", [[HELD + WAITS]], indirect=True)
def test_a_process_gets_sigterm_once_its_input_ends(run: subprocess.Popen[str]) -> None:
    assert run.stdin is not None
    run.stdin.write("what comes over it means nothing\n")
    run.stdin.flush()
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(0.1)
    run.communicate(timeout=30)
    assert run.returncode == -signal.SIGTERM


@pytest.mark.parametrize("run", [[DRAINS]], indirect=True)
def test_it_may_drain(run: subprocess.Popen[str]) -> None:
    assert run.communicate(timeout=30)[0] == "drained\n"
    assert run.returncode == 1


@pytest.mark.parametrize("run", [[LINGERS]], indirect=True)
def test_it_ends_all_the_same_where_it_does_not_heed_that(run: subprocess.Popen[str]) -> None:
    run.communicate(timeout=30)
    assert run.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize("run", [[STARTER, HELD + WAITS]], indirect=True)
def test_it_ends_where_whoever_started_it_is_killed(run: subprocess.Popen[str]) -> None:
    assert run.stdout is not None
    os.kill(run.pid, signal.SIGKILL)
    # The child holds the output too: it ends once the child has.
    assert run.stdout.read() == ""
    assert run.wait(30) == -signal.SIGKILL
