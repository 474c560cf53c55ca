from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import structlog

from hub.core.errors import RegistryUnreachable
from hub.core.invariants import BY_NAME, InvariantViolation
from hub.core.time import SECOND, Duration
from hub.exchange import invariants
from hub.exchange.invariants import SHARE, Standing
from hub.ports.registry import Sweep
from hub.registry.memory import MemoryRegistry
from tests.harness.clock import ManualClock, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

EVERY = Duration(60 * SECOND)


class Watched:
    """A watch over answers that a test gives."""

    def __init__(self) -> None:
        self.registry, self.clock = MemoryRegistry(), ManualClock()
        self.told: list[Standing] = []
        self.sweeps: list[Sweep] = []
        self.answer: Callable[[], list[InvariantViolation]] = list
        self.registry.audit.recent = self.recent  # type: ignore[method-assign]

    async def recent(self, sweep: Sweep) -> tuple[list[InvariantViolation], Sweep]:
        self.sweeps.append(sweep)
        return self.answer(), Sweep(sweep.number, sweep.after + 1)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    found = Watched()
    watch = invariants.watch(found.registry, found.clock, EVERY, found.told.append)
    task = asyncio.ensure_future(watch)
    await settle()
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_each_round_goes_on_where_the_last_one_ended(watched: Watched) -> None:
    await watched.clock.advance(EVERY)
    await watched.clock.advance(EVERY)
    assert watched.sweeps == [Sweep(0, 0), Sweep(0, 1), Sweep(0, 2)]
    assert len(watched.told) == 3


async def test_what_is_broken_is_told_of_and_stays(watched: Watched) -> None:
    watched.answer = lambda: [InvariantViolation("lane_states", 2, ("lane 7",))]
    with structlog.testing.capture_logs() as logs:
        await watched.clock.advance(EVERY)
        watched.answer = lambda: [InvariantViolation("lane_states", 0)]
        await watched.clock.advance(EVERY)
    assert [standing.broken.get("lane_states", 0) for standing in watched.told] == [0, 2, 2]
    (line,) = logs
    assert (line["event"], line["log_level"], line["rows"]) == (
        "invariant_broken",
        "error",
        ["lane 7"],
    )


async def test_a_round_that_ran_out_of_time_makes_nothing_newer(watched: Watched) -> None:
    before = watched.told[-1].finished_at
    assert before is not None
    watched.answer = lambda: [InvariantViolation("lane_states", 0, is_finished=False)]
    await watched.clock.advance(EVERY)
    assert watched.told[-1].finished_at == before
    watched.answer = list
    await watched.clock.advance(EVERY)
    assert watched.told[-1].finished_at == before + 2 * EVERY


@pytest.mark.parametrize("failure", [RegistryUnreachable(problem="away"), RuntimeError("a bug")])
async def test_a_round_that_fails_is_made_up_for(watched: Watched, failure: Exception) -> None:
    def fail() -> list[InvariantViolation]:
        raise failure

    watched.answer = fail
    await watched.clock.advance(EVERY)
    assert len(watched.told) == 1
    watched.answer = list
    await watched.clock.advance(EVERY)
    assert len(watched.told) == 2
    assert watched.sweeps[-1] == watched.sweeps[-2]


async def test_a_round_that_takes_long_is_followed_by_a_longer_rest() -> None:
    clock, registry, began = ManualClock(), MemoryRegistry(), list[int]()

    async def slowly(sweep: Sweep) -> tuple[list[InvariantViolation], Sweep]:
        began.append(clock.monotonic())
        await clock.sleep(EVERY)
        return [], sweep

    registry.audit.recent = slowly  # type: ignore[method-assign]
    task = asyncio.ensure_future(invariants.watch(registry, clock, EVERY, lambda _: None))
    await settle()
    for _ in range(2 * (1 + SHARE)):
        await clock.advance(EVERY)
    assert began[1] - began[0] == (1 + SHARE) * EVERY
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_twin_is_asked_of_everything() -> None:
    found, after = await MemoryRegistry().audit.recent(Sweep())
    assert {one.invariant for one in found} == set(BY_NAME)
    assert after == Sweep(1)
