from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.core.errors import FieldInvalid
from relayer import failpoints
from relayer.failpoints import KILLED, Failpoint, hit
from tests.harness.source_tree import ROOT, python_files

PROGRAM = """
from relayer.failpoints import Failpoint, hit
for count in range(4):
    hit(Failpoint.FRAME_RECEIVED)
    hit(Failpoint.VERDICT_SENT)
    print(count, flush=True)
"""


def run(armed: str) -> tuple[int, str]:
    """Status and output of a process that comes to two failpoints four times."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "YDHUB_FAILPOINT": armed},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("armed", "status", "output"),
    [
        ("frame_received:3", KILLED, "0\n1\n"),
        ("verdict_sent", KILLED, ""),
        ("packets_committed:1", 0, "0\n1\n2\n3\n"),
        ("", 0, "0\n1\n2\n3\n"),
    ],
)
def test_a_process_dies_the_nth_time_it_comes_to_the_point_that_is_armed(
    armed: str, status: int, output: str
) -> None:
    assert run(armed) == (status, output)


@pytest.mark.parametrize("armed", ["nowhere:1", "frame_received:0", "frame_received:-1", "x:y"])
def test_what_names_no_point_or_no_count_is_refused(
    armed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YDHUB_FAILPOINT", armed)
    with pytest.raises(FieldInvalid):
        failpoints._armed()


def test_a_point_that_is_not_armed_costs_nothing() -> None:
    for point in Failpoint:
        hit(point)
    assert failpoints._counts == {}


def test_every_failpoint_is_placed_in_the_relayer() -> None:
    text = "".join((ROOT / path).read_text() for path in python_files("relayer"))
    assert [point for point in Failpoint if f"Failpoint.{point.name}" not in text] == []
    assert Path(failpoints.__file__).name == "failpoints.py"
