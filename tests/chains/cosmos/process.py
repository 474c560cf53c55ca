"""Processes that end with the one that started them, however that one ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from secrets import randbelow
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PORTS: Final = range(10_000, 32_000)
"""Below those of outgoing connections, so that a node that starts again gets its own again."""
KILLED_WITHIN_S: Final = 10
_BOUND: Final = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("started by a process that is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""The kernel kills the process when the thread that started it ends (prctl PR_SET_PDEATHSIG)."""

_given: set[int] = set()


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


def free_ports(count: int) -> list[int]:
    """So many ports of this machine that nobody listens at, and that were not given out here."""
    found: list[int] = []
    while len(found) < count:
        port = PORTS[randbelow(len(PORTS))]
        if port not in _given and _is_free(port):
            _given.add(port)
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
