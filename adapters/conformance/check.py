"""What an item of the exam is, and how it may end.

An item passes when its function returns, fails by ``Failed``, and is not examinable where something
that it needs is missing. A rule that holds for every frame is watched all the time (watch.py), and
its item fails by what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from inspect import getdoc
from typing import TYPE_CHECKING

from hub.core.time import Duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.conformance.exam import Exam

_NO_TIME = Duration(0)


class Grade(StrEnum):
    """How an item ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_EXAMINABLE = "not examinable"


@dataclass(frozen=True, slots=True)
class Check:
    """One item of the exam."""

    name: str
    asks: str
    """What is asked of the adapter, in one sentence."""
    source: str
    """Where the rule stands."""
    run: Callable[[Exam], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one item ended."""

    check: Check
    grade: Grade
    expected: str = ""
    came: str = ""
    """What came instead, or why it is not examinable."""
    took: Duration = _NO_TIME
    """Nanoseconds."""


def check(source: str) -> Callable[[Callable[[Exam], Awaitable[None]]], Check]:
    """The item of a function: its name, its docstring's first line, and the rule's *source*."""

    def item(run: Callable[[Exam], Awaitable[None]]) -> Check:
        asks = (getdoc(run) or "").splitlines()[0]
        return Check(run.__name__, asks, source, run)

    return item
