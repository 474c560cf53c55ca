from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from rich.console import Console

from adapters.conformance.check import Check, Grade, Result
from adapters.conformance.report import (
    closing,
    has_passed,
    print_items,
    print_results,
    write_junit,
)
from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.conformance.exam import Exam


async def work(_: Exam) -> None:
    """It works."""


def result(name: str, grade: Grade, expected: str = "", came: str = "") -> Result:
    item = Check(name, "It works.", "a rule [1]", work)
    took = Duration(3 * SECOND // 2)
    return Result(check=item, grade=grade, expected=expected, came=came, took=took)


PASSED = result("first", Grade.PASSED)
FAILED = result("second", Grade.FAILED, "a [bold]", "none\x1b[2J <&>")
MISSING = result("third", Grade.NOT_EXAMINABLE, "", "no sender")


def console() -> tuple[Console, StringIO]:
    text = StringIO()
    return Console(file=text, width=120), text


def test_the_table_says_why_and_ends_with_one_line() -> None:
    to, text = console()
    print_results(to, "hangzhou", [PASSED, FAILED, MISSING])
    lines = text.getvalue().splitlines()
    assert lines[-1] == (
        "NOT PASSED: the adapter of peers/hangzhou: 1 passed, 1 failed, 1 not examinable, in 4 s"
    )
    page = "\n".join(lines)
    for words in ("expected: a [bold]", "came:     none", "a rule [1]", "why not:  no sender"):
        assert words in page
    assert "\x1b" not in page


def test_only_what_has_passed_whole_has_passed() -> None:
    assert has_passed([PASSED, PASSED])
    assert closing("hangzhou", [PASSED]).startswith("PASSED: ")
    for results in ([], [PASSED, FAILED], [PASSED, MISSING]):
        assert not has_passed(results)
        assert closing("hangzhou", results).startswith("NOT PASSED: ")


def test_items_are_printed_with_their_sources() -> None:
    to, text = console()
    print_items(to, [PASSED.check])
    assert "first" in text.getvalue()
    assert "a rule" in text.getvalue()


def test_junit_holds_every_result_whatever_an_adapter_has_written(tmp_path: Path) -> None:
    file = tmp_path / "results.xml"
    write_junit(file, "hangzhou", [PASSED, FAILED, MISSING])
    suite = ET.parse(file).getroot()  # noqa: S314 - of our own making
    counts = {key: suite.get(key) for key in ("tests", "failures", "skipped", "time")}
    assert counts == {"tests": "3", "failures": "1", "skipped": "1", "time": "4.500"}
    [passed, failed, missing] = suite
    assert list(passed) == []
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("message") == "expected a [bold]; came none�[2J <&>"
    assert "source:   a rule [1]" in (failure.text or "")
    skipped = missing.find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "no sender"
