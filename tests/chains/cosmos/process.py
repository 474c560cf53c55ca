"""Processes that end with the one that started them, however that one ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KILLED_WITHIN_S: Final = 10
_BOUND: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("started by a process that is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""The kernel kills the process when the thread that started it ends (prctl PR_SET_PDEATHSIG)."""


def start_bound(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """*command* as a process of its own session, writing to *log*.

    It is killed when the calling thread ends: call this from one that lives as long as the process
    is needed.
    """
    wrapper = [sys.executable, "-I", "-S", "-c", _BOUND, str(os.getpid()), *command]
    with log.open("ab") as written:
        return subprocess.Popen(
            wrapper,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """*process* is gone, without a chance to write anything; nothing happens if it was."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(KILLED_WITHIN_S)
