from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import structlog

from hub.server.logs import set_up_logs

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
