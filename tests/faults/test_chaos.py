from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.faults.chaos import IN_FLIGHT, PAIRS, plan, survive
from tests.harness.network import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.network import LiveNetwork

KILLS = 10
"""Two of each kind."""


@pytest.fixture
def live() -> Iterator[LiveNetwork]:
    """A network of its own, whose every city is two processes and has lanes to both others."""
    with running(*PAIRS, is_split=True) as network:
        yield network


def test_two_hundred_kills_are_forty_of_each_kind_and_a_seed_repeats_them() -> None:
    kills = plan(200, Random(1))
    assert kills == plan(200, Random(1))
    assert kills != plan(200, Random(2))
    assert Counter(kind for kind, _ in kills) == {
        "relayer": 40,
        "adapter": 40,
        "chain": 40,
        "postgres": 40,
        "hub": 40,
    }


async def test_whatever_is_killed_nothing_is_lost_nor_doubled(live: LiveNetwork) -> None:
    kills = await survive(live, KILLS, seed=1, tells=False)
    assert len(kills) == KILLS
    assert min(one.in_flight for one in kills) >= IN_FLIGHT
