"""The report of an exam: a table for people, and JUnit XML for machines.

Source: the JUnit XML format as CI systems read it (testsuite, testcase, failure, skipped).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from rich.table import Table
from rich.text import Text

from adapters.conformance.check import Grade
from hub.core.time import MILLISECOND, SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from adapters.conformance.check import Check, Result

_STYLES: Final = {
    Grade.PASSED: "green",
    Grade.FAILED: "bold red",
    Grade.NOT_EXAMINABLE: "yellow",
}


def print_items(console: Console, items: Sequence[Check]) -> None:
    """What each item asks, and where its rule stands."""
    table = Table("item", "asks", "source", box=None, header_style="bold")
    for item in items:
        table.add_row(item.name, item.asks, item.source)
    console.print(table)


def print_results(console: Console, peer: str, results: Sequence[Result]) -> None:
    """The table, and the closing line."""
    table = Table("item", "grade", "time", "what is asked; why it failed", box=None)
    table.header_style = "bold"
    for result in results:
        grade = Text(result.grade, style=_STYLES[result.grade])
        took = f"{result.took / SECOND:.1f} s"
        # The adapter has written some of it: nothing of it moves the operator's cursor.
        table.add_row(result.check.name, grade, took, Text(_clean(_why(result))))
    console.print(table)
    console.print(closing(peer, results), highlight=False, markup=False)


def closing(peer: str, results: Sequence[Result]) -> str:
    """One line: whether all passed, and how many did not."""
    counts = Counter(result.grade for result in results)
    told = ", ".join([f"{counts[grade]} {grade}" for grade in Grade if counts[grade]])
    verdict = "PASSED" if has_passed(results) else "NOT PASSED"
    took = sum(result.took for result in results) / SECOND
    return f"{verdict}: the adapter of peers/{peer}: {told or 'no item'}, in {took:.0f} s"


def has_passed(results: Sequence[Result]) -> bool:
    """Whether there are results, and all of them passed."""
    return bool(results) and all(result.grade is Grade.PASSED for result in results)


def write_junit(file: Path, peer: str, results: Sequence[Result]) -> None:
    """*file* holds the results as JUnit XML. Raises ``OSError``."""
    counts = Counter(result.grade for result in results)
    suite = ET.Element(
        "testsuite",
        name=f"ydhub-conformance peers/{peer}",
        tests=str(len(results)),
        failures=str(counts[Grade.FAILED]),
        errors="0",
        skipped=str(counts[Grade.NOT_EXAMINABLE]),
        time=_seconds(sum(result.took for result in results)),
    )
    for result in results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname="ydhub.conformance",
            name=result.check.name,
            time=_seconds(result.took),
        )
        if result.grade is Grade.FAILED:
            message = f"expected {result.expected}; came {result.came}"
            failure = ET.SubElement(case, "failure", message=_clean(message))
            failure.text = _clean(_why(result))
        elif result.grade is Grade.NOT_EXAMINABLE:
            ET.SubElement(case, "skipped", message=_clean(result.came))
    ET.indent(suite)
    ET.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)


def _why(result: Result) -> str:
    match result.grade:
        case Grade.PASSED:
            return result.check.asks
        case Grade.FAILED:
            lines = (
                result.check.asks,
                f"expected: {result.expected}",
                f"came:     {result.came}",
                f"source:   {result.check.source}",
            )
            return "\n".join(lines)
        case Grade.NOT_EXAMINABLE:
            return f"{result.check.asks}\nwhy not:  {result.came}"


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // MILLISECOND / 1000:.3f}"


def _clean(text: str) -> str:
    """*text* without what XML 1.0 cannot hold, or a terminal would obey."""
    return "".join([char if char.isprintable() or char == "\n" else "�" for char in text])
