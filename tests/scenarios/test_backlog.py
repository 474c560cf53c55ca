"""Thousands of packets wait on one chain: the other is given as many as its adapter takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.lane import Side
from hub.registry.memory.outcomes import MemoryOutcomes
from relayer.steps.flow import BATCH, WINDOW
from tests.harness.relayed import Relayed, relayed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from relayer.runner import FlowRunner

COUNT = 5000
A_BLOCK = 2000
assert A_BLOCK > WINDOW * BATCH, "else attempts that are not full would do"


def under_way(runner: FlowRunner | None) -> int:
    """Items that a chain has been asked to execute, and has not reported."""
    return sum(len(attempt.items) for attempt in runner.flow.in_flight) if runner else 0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Relayed]:
    """A lane whose chains make a block a second."""
    async with relayed(tmp_path) as world:
        await world.open()
        # Watching every move of so many would take long.
        world.registry.outcomes = MemoryOutcomes(world.registry.state)
        yield world
        violations = await world.registry.audit.violations()
        assert [found for found in violations if found.count] == []


async def test_a_chain_is_given_more_than_a_block_takes_though_it_reports_late(
    world: Relayed,
) -> None:
    world.right.adapter.reports.clear()
    for _ in range(2):
        world.submit(world.left, COUNT // 2)
        await world.second()
    await world.until(lambda: under_way(world.desk.delivery) >= A_BLOCK)
    world.left.adapter.reports.clear()
    world.right.adapter.reports.set()
    await world.until(lambda: under_way(world.desk.settlement) >= A_BLOCK)
    world.left.adapter.reports.set()
    source = world.registry.state.lanes[1].sides[Side.SOURCE]
    await world.until(lambda: len(source.progress.truth) == COUNT)
