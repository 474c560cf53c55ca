from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from adapters.conformance.check import Check, Grade
from adapters.conformance.demand import Failed, NotExaminable
from adapters.conformance.runner import run
from adapters.conformance.sender import SenderFailed
from adapters.conformance.watch import Watch
from hub.core.errors import HeaderNotFound
from tests.harness.clock import ManualClock

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam


def exam_of(watch: Watch, clock: ManualClock) -> Exam:
    return cast("Exam", SimpleNamespace(watch=watch, clock=clock, leave=lambda: None))


def item(name: str, error: Exception | None) -> Check:
    async def work(_: Any) -> None:
        if error is not None:
            raise error

    return Check(name, "It works.", "nowhere", work)


@pytest.mark.parametrize(
    ("error", "grade", "came"),
    [
        (None, Grade.PASSED, ""),
        (Failed("one", "none"), Grade.FAILED, "none"),
        (HeaderNotFound(client="x-1", height=7), Grade.FAILED, "HEADER_NOT_FOUND"),
        (NotExaminable("no sender"), Grade.NOT_EXAMINABLE, "no sender"),
        (SenderFailed("no funds"), Grade.NOT_EXAMINABLE, "no funds"),
        (ZeroDivisionError(), Grade.NOT_EXAMINABLE, "the exam itself broke: ZeroDivisionError"),
    ],
)
async def test_an_item_is_graded_by_how_it_ends(
    error: Exception | None, grade: Grade, came: str
) -> None:
    clock = ManualClock()
    told: list[Grade] = []
    items = [item("first", error), item("second", None)]
    results = await run(
        exam_of(Watch(clock), clock), items, lambda result: told.append(result.grade)
    )
    assert [result.grade for result in results] == told == [grade, Grade.PASSED]
    assert results[0].came.startswith(came)


async def test_what_is_seen_later_fails_an_item_that_had_passed() -> None:
    clock = ManualClock()
    watch = Watch(clock)
    exam = exam_of(watch, clock)

    async def work(_: Any) -> None:
        watch.hold("first", None, "nothing twice", "3 again")

    results = await run(exam, [item("first", None), Check("second", "It.", "nowhere", work)])
    assert [result.grade for result in results] == [Grade.FAILED, Grade.PASSED]
    assert (results[0].expected, results[0].came) == ("nothing twice", "3 again")
