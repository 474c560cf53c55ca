from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hub.core.ranges import RangeSet
from hub.core.time import Timestamp
from relayer.starts import LOOKED_AT, frame_starts
from relayer.steps.events import Added
from relayer.steps.flow import BATCH, Flow, step

if TYPE_CHECKING:
    from collections.abc import Sequence


class PaperFacts:
    """Frames of a hundred items; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[RangeSet] = []

    async def frame_starts(self, lane_id: int, numbers: RangeSet) -> Sequence[int]:
        assert lane_id == 7
        self.asked.append(numbers)
        return [number for number in numbers if number % 100 == 0]


class PaperRunner:
    """A flow that waits with what it was given."""

    def __init__(self, *held: RangeSet) -> None:
        self.flow = Flow(is_stopped=True)
        for items in held:
            self.flow, _ = step(self.flow, Added(items), Timestamp(0))


async def starts(items: RangeSet, *held: RangeSet) -> tuple[tuple[int, ...], list[RangeSet]]:
    facts, runner = PaperFacts(), PaperRunner(*held)
    found: Any = await frame_starts(facts, 7, items, runner)  # type: ignore[arg-type]
    return found, facts.asked


@pytest.mark.parametrize(
    ("items", "held"),
    [
        pytest.param(RangeSet(), RangeSet(), id="none"),
        pytest.param(RangeSet.span(0, BATCH), RangeSet(), id="one attempt"),
        pytest.param(RangeSet.span(0, 900), RangeSet.span(0, 900 - BATCH), id="the rest is held"),
    ],
)
async def test_nobody_is_asked_about_what_one_attempt_takes(
    items: RangeSet, held: RangeSet
) -> None:
    assert await starts(items, held) == ((), [])


async def test_what_the_flow_does_not_hold_is_asked_about() -> None:
    found, asked = await starts(RangeSet.span(0, 900), RangeSet.span(0, 350))
    assert (found, asked) == ((400, 500, 600, 700, 800), [RangeSet.span(350, 900)])


async def test_of_a_very_long_backlog_the_first_ones_are_asked_about() -> None:
    _, asked = await starts(RangeSet.span(0, 2 * LOOKED_AT))
    assert asked == [RangeSet.span(0, LOOKED_AT)]
