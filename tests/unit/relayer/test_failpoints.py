from __future__ import annotations

import os
import subprocess
import sys

import pytest

from relayer.failpoints import KILLED, Failpoint, hit

PROGRAM = """
from relayer.failpoints import Failpoint, hit
for _ in range(3):
    hit(Failpoint.FRAME_RECEIVED)
    hit(Failpoint.VERDICT_SENT)
    print("passed", flush=True)
"""


def run(failpoint: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "YDHUB_FAILPOINT": failpoint}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_process_dies_the_nth_time_that_it_comes_there() -> None:
    done = run("verdict_sent:2")
    assert done.returncode == KILLED
    assert done.stdout == "passed\n"


def test_without_a_number_it_dies_the_first_time() -> None:
    assert run("frame_received").stdout == ""


def test_another_failpoint_is_passed() -> None:
    done = run("lease_taken:1")
    assert (done.returncode, done.stdout) == (0, "passed\n" * 3)


@pytest.mark.parametrize("text", ["nowhere:1", "verdict_sent:0", "verdict_sent:x"])
def test_a_failpoint_that_there_is_not_stops_the_process_at_its_start(text: str) -> None:
    done = run(text)
    assert done.returncode == 1
    assert "YDHUB_FAILPOINT" in done.stderr


def test_unarmed_every_failpoint_is_passed() -> None:
    for point in Failpoint:
        hit(point)
