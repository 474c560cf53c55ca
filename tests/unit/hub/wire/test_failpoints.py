from __future__ import annotations

import os
import subprocess
import sys
from enum import StrEnum

import pytest

from hub.core.errors import FieldInvalid
from hub.wire.failpoints import KILLED, VARIABLE, Failpoints, of_environment
from tests.harness.source_tree import ROOT

PROGRAM = """
from enum import StrEnum
from hub.wire.failpoints import of_environment

class Point(StrEnum):
    ASKED = "asked"
    STORED = "stored"
    TOLD = "told"

hit = of_environment(Point).hit
for count in range(4):
    hit(Point.ASKED)
    hit(Point.STORED)
    print(count, flush=True)
"""


class Point(StrEnum):
    ASKED = "asked"
    STORED = "stored"


def run(armed: str) -> tuple[int, str]:
    """Status and output of a process that comes to two of three failpoints four times."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, VARIABLE: armed},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("armed", "status", "output"),
    [
        ("asked:3", KILLED, "0\n1\n"),
        ("stored:3", KILLED, "0\n1\n"),
        ("asked", KILLED, ""),
        ("asked:", KILLED, ""),
        ("asked:5", 0, "0\n1\n2\n3\n"),
        ("told:1", 0, "0\n1\n2\n3\n"),
        ("", 0, "0\n1\n2\n3\n"),
    ],
)
def test_a_process_dies_the_nth_time_it_comes_to_the_point_that_is_armed(
    armed: str, status: int, output: str
) -> None:
    assert run(armed) == (status, output)


@pytest.mark.parametrize(
    "text",
    ["nowhere", "nowhere:1", "ASKED", "asked:0", "asked:00", "asked:-1", "asked:x", ":1", ":", " "],
)
def test_what_names_no_point_or_no_pass_is_refused(text: str) -> None:
    with pytest.raises(FieldInvalid):
        Failpoints(Point, text)


def test_the_environment_is_what_arms_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YDHUB_FAILPOINT", "nowhere:1")
    with pytest.raises(FieldInvalid):
        of_environment(Point)
    monkeypatch.delenv("YDHUB_FAILPOINT")
    of_environment(Point).hit(Point.ASKED)


def test_a_point_that_is_not_armed_does_nothing() -> None:
    for point in Point:
        Failpoints(Point, "").hit(point)
    Failpoints(Point, "asked:1").hit(Point.STORED)
