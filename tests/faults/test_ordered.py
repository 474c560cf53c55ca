"""A small run of an ordered lane under faults; ``make ordered`` runs the whole one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.lane import Order
from tests.faults.ordered import ordered
from tests.harness.network import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.network import LiveNetwork


@pytest.fixture(scope="module")
def alone() -> Iterator[LiveNetwork]:
    """A network whose lanes nobody counts, for others carry packets over them."""
    with running() as network:
        yield network


@pytest.mark.timeout(400)
@pytest.mark.parametrize("order", [Order.ENFORCED, Order.BEST_EFFORT])
async def test_everything_is_executed_in_sequence_and_nothing_is_left_out(
    alone: LiveNetwork, order: Order
) -> None:
    figures = await ordered(alone, order, packets=300, kills=1, seed=2)
    assert sum(figures.by_kind.values()) == figures.packets
