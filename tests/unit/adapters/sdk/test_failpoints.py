from __future__ import annotations

import subprocess
import sys

import pytest

from adapters.sdk.failpoints import KILLED, Failpoint, armed, hit
from hub.core.errors import FieldInvalid


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", ("", 1)), ("items_shown", ("items_shown", 1)), ("header_shown:3", ("header_shown", 3))],
)
def test_a_failpoint_is_a_name_and_a_pass(text: str, expected: tuple[str, int]) -> None:
    assert armed(text) == expected


@pytest.mark.parametrize(
    "text", ["nowhere", "items_shown:0", "items_shown:x", ":1", "items_shown:-1"]
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
        "from adapters.sdk.failpoints import Failpoint, hit\n"
        f"hit(Failpoint('{point}')); print('once', flush=True)\n"
        f"hit(Failpoint('{point}')); print('twice', flush=True)\n"
    )
    environment = {"YDHUB_FAILPOINT": f"{point}:2", "PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (KILLED, b"once\n")
