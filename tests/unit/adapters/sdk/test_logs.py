from __future__ import annotations

import json
from typing import TYPE_CHECKING

import structlog

from adapters.sdk import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_json_has_one_event_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("json")
    structlog.get_logger().info("it_happened", height=3)
    [line] = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["event"], told["height"], told["level"]) == ("it_happened", 3, "info")


def test_the_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("console")
    structlog.get_logger().info("it_happened")
    assert "it_happened" in capsys.readouterr().err
