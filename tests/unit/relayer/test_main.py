from __future__ import annotations

import gc
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from relayer.__main__ import spare_collector
from tests.harness.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def restored() -> Iterator[None]:
    """What a test sets up for the process is set back."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_what_hinders_the_start_is_told_with_its_reason_and_status_3(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "relayer", "--config", str(tmp_path / "nowhere.toml")],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 3
    assert done.stderr.startswith("ydhub-relayer: FIELD_INVALID: ")
    assert "Traceback" not in done.stderr


HEAPS = """
import ctypes, sys, threading
from relayer.__main__ import share_heap
if sys.argv[1] == "shared":
    share_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
all_are_there = threading.Barrier(4)
def hold():
    libc.malloc(1000)
    all_are_there.wait()
threads = [threading.Thread(target=hold) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
out = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def test_all_threads_share_one_heap() -> None:
    def heaps(how: str) -> int:
        command = [sys.executable, "-c", HEAPS, how]
        told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        return told.stdout.count("<heap ")

    assert heaps("shared") == 1
    assert heaps("as it is") > 1


@pytest.mark.usefixtures("restored")
def test_the_collector_leaves_alone_what_stands_already() -> None:
    spare_collector()
    assert gc.get_freeze_count() > 0
    assert gc.isenabled()
