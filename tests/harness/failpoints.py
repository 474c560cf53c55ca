"""What each kind of process's list of failpoints is tried by."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.harness.source_tree import ROOT, python_files

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import StrEnum


def second_pass(module: str, point: StrEnum) -> tuple[int, bytes]:
    """Status and output of a process that is to die when it comes to *point* again."""
    program = (
        f"from {module} import Failpoint, hit\n"
        f"hit(Failpoint('{point}')); print('once', flush=True)\n"
        f"hit(Failpoint('{point}')); print('twice', flush=True)\n"
    )
    environment = {"YDHUB_FAILPOINT": f"{point}:2", "PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=False
    )
    return ended.returncode, ended.stdout


def placed_nowhere(points: Iterable[StrEnum], folder: str) -> list[StrEnum]:
    """Those of *points* that no source file in *folder* comes to."""
    text = "".join([(ROOT / path).read_text() for path in python_files(folder)])
    return [point for point in points if f"Failpoint.{point.name}" not in text]
