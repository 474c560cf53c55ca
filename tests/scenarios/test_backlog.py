"""Thousands of packets wait on one chain: each block of the other is filled as far as it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.lane import Side
from hub.registry.memory.outcomes import MemoryOutcomes
from relayer.steps.flow import BATCH, WINDOW
from tests.harness.relayed import Relayed, relayed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

COUNT = 5000
A_BLOCK = 2000
assert A_BLOCK > WINDOW * BATCH, "else attempts that are not full would do"


def count_received(world: Relayed) -> int:
    """Packets that the right chain has executed."""
    lane = world.right.chain.ledger.incoming.get(world.key.destination_client)
    return len(lane.effects) if lane else 0


def count_completed(world: Relayed) -> int:
    """Packets that are complete."""
    return len(world.registry.state.lanes[1].sides[Side.SOURCE].progress.truth)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Relayed]:
    """A lane whose chains make a block a second, and report what was executed in the next one."""
    async with relayed(tmp_path) as world:
        await world.open()
        # Watching every move of so many would take long.
        world.registry.outcomes = MemoryOutcomes(world.registry.state)
        yield world
        violations = await world.registry.audit.violations()
        assert [found for found in violations if found.count] == []


@pytest.mark.parametrize("count", [count_received, count_completed])
async def test_each_block_is_filled_while_there_is_a_backlog(
    world: Relayed, count: Callable[[Relayed], int]
) -> None:
    for _ in range(2):
        world.submit(world.left, COUNT // 2)
        await world.second()
    grown: list[int] = []
    for _ in range(20):
        before = count(world)
        await world.second()
        grown.append(count(world) - before)
    *full, rest = [one for one in grown if one]
    assert min(full) >= A_BLOCK
    assert sum(full) + rest == COUNT
