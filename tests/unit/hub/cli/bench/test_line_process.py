from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hub.cli.bench.accounting import use_of
from hub.cli.bench.line_process import LAST_LINES, LineProcess, failure
from hub.cli.clock import monotonic
from hub.core.errors import AnswerOverdue
from hub.core.time import SECOND

if TYPE_CHECKING:
    from pathlib import Path

ECHO = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("do") == "die":
        sys.exit("it is over")
    print(json.dumps(asked), flush=True)
"""


@pytest.fixture
async def echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LineProcess:
    (tmp_path / "echo_program.py").write_text(ECHO)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return await LineProcess.start("echo", "echo_program", log=tmp_path / "echo.log")


async def test_each_question_has_its_answer(echo: LineProcess) -> None:
    assert await echo.ask({"a": 1}) == {"a": 1}
    assert await echo.ask({"text": "x" * 300_000}) == {"text": "x" * 300_000}
    assert echo.number > 0
    await echo.close()


async def test_a_failure_is_told_with_what_it_said(echo: LineProcess) -> None:
    with pytest.raises(AnswerOverdue) as raised:
        await echo.ask({"failed": "one\ntwo"})
    assert raised.value.__notes__ == ["one", "two"]
    assert await echo.ask({"a": 2}) == {"a": 2}
    await echo.close()


async def test_an_end_is_told_with_the_end_of_its_log(echo: LineProcess) -> None:
    for _ in range(2):
        with pytest.raises(AnswerOverdue) as raised:
            await echo.ask({"do": "die"})
        assert raised.value.__notes__ == ["it is over"]
        assert "echo" in str(raised.value)
    await echo.close()


def test_only_the_last_lines_are_told() -> None:
    error = failure("x", "\n".join(map(str, range(100))))
    assert error.__notes__ == list(map(str, range(100 - LAST_LINES, 100)))


async def test_who_does_not_end_with_its_input_is_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import signal, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        "print('{\"child\": %d}' % child.pid, flush=True)\n"
        "signal.pause()\n"
    )
    (tmp_path / "lingering_program.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("hub.cli.bench.line_process._END_S", 0.1)
    started = await LineProcess.start("x", "lingering_program", log=tmp_path / "log")
    child = (await started.hear())["child"]
    await started.close()
    deadline = monotonic() + 5 * SECOND
    while use_of(child).memory and monotonic() < deadline:  # noqa: ASYNC110 - no event of ours
        await asyncio.sleep(0)
    assert use_of(child).memory == 0
