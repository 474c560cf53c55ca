"""Runs the items one after the other, and grades them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from adapters.conformance.check import Grade, Result
from adapters.conformance.demand import Failed, NotExaminable
from adapters.conformance.sender import SenderFailed
from hub.core.errors import HubError
from hub.core.time import Duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from adapters.conformance.check import Check
    from adapters.conformance.exam import Exam

_log = structlog.get_logger()


async def run(
    exam: Exam, items: Iterable[Check], told: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """How each of *items* ended; *told* hears of each at once, before what is seen later counts."""
    results: list[Result] = []
    for item in items:
        began = exam.clock.monotonic()
        result = await _graded(exam, item)
        took = Duration(exam.clock.monotonic() - began)
        results.append(replace(result, took=took))
        told(results[-1])
    exam.leave()
    return [_with_breaches(exam, result) for result in results]


async def _graded(exam: Exam, item: Check) -> Result:
    try:
        await item.run(exam)
    except Failed as failed:
        return Result(check=item, grade=Grade.FAILED, expected=failed.expected, came=failed.came)
    except (NotExaminable, SenderFailed) as missing:
        return Result(check=item, grade=Grade.NOT_EXAMINABLE, came=str(missing))
    except HubError as error:
        came = f"{error.reason}: {error}"
        return Result(check=item, grade=Grade.FAILED, expected="evidence that holds", came=came)
    except Exception as bug:  # noqa: BLE001 - one item is lost, not the exam
        _log.exception("item_broke", item=item.name)
        came = f"the exam itself broke: {type(bug).__name__}"
        return Result(check=item, grade=Grade.NOT_EXAMINABLE, came=came)
    return Result(check=item, grade=Grade.PASSED)


def _with_breaches(exam: Exam, result: Result) -> Result:
    """*result*, failed by what was seen at any time of the exam."""
    breaches = exam.watch.breaches.get(result.check.name, [])
    if result.grade is not Grade.PASSED or not breaches:
        return result
    first = breaches[0]
    return replace(result, grade=Grade.FAILED, expected=first.expected, came=first.came)
