from __future__ import annotations

import subprocess
import sys

import pytest

from hub.core.errors import FieldInvalid
from hub.server.failpoints import KILLED, Failpoint, armed, hit
from tests.harness.source_tree import ROOT, python_files


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", 1)),
        ("change_asked", ("change_asked", 1)),
        ("change_committed:3", ("change_committed", 3)),
    ],
)
def test_a_failpoint_is_a_name_and_a_pass(text: str, expected: tuple[str, int]) -> None:
    assert armed(text) == expected


@pytest.mark.parametrize(
    "text", ["nowhere", "change_asked:0", "change_asked:x", ":1", "change_asked:-1"]
)
def test_what_is_no_failpoint_is_refused(text: str) -> None:
    with pytest.raises(FieldInvalid):
        armed(text)


def test_an_unarmed_failpoint_does_nothing() -> None:
    for point in Failpoint:
        hit(point)


@pytest.mark.parametrize("point", Failpoint)
def test_the_process_dies_at_the_pass_that_was_asked_for(point: Failpoint) -> None:
    program = (
        "from hub.server.failpoints import Failpoint, hit\n"
        f"hit(Failpoint('{point}')); print('once', flush=True)\n"
        f"hit(Failpoint('{point}')); print('twice', flush=True)\n"
    )
    environment = {"YDHUB_FAILPOINT": f"{point}:2", "PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (KILLED, b"once\n")


def test_every_failpoint_is_placed_in_the_hub_server() -> None:
    text = "".join((ROOT / path).read_text() for path in python_files("hub/server"))
    assert [point for point in Failpoint if f"Failpoint.{point.name}" not in text] == []
