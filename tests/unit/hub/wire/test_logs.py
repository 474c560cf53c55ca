from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import structlog

from hub.wire.logs import set_up_logs
from tests.harness.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_an_event_is_one_line_of_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json")
    log = structlog.get_logger()
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        log.info("packet_relayed", sequence=7, text="two\nlines")
    log.debug("not_told")
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    found = json.loads(line)
    assert (found["event"], found["level"], found["sequence"]) == ("packet_relayed", "info", 7)
    assert (found["request_id"], found["text"]) == ("r-1", "two\nlines")
    assert found["timestamp"].endswith("Z")


def test_a_failure_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json")
    try:
        int("bug")
    except ValueError:
        structlog.get_logger().exception("call_failed")
    (line,) = capsys.readouterr().err.splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_people_read_columns(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("console")
    structlog.get_logger().info("packet_relayed", sequence=7)
    assert "packet_relayed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "module", ["relayer.__main__", "hub.server.__main__", "adapters.simchain.__main__"]
)
def test_a_process_that_logs_has_no_use_for_rich(module: str) -> None:
    program = f"import sys, {module}; print('structlog' in sys.modules, 'rich' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert told.stdout.split() == ["True", "False"]


def test_rich_is_there_for_who_wants_it() -> None:
    program = "import hub.wire.logs, rich.console; print(rich.console.Console.__name__)"
    told = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert told.stdout == "Console\n"
