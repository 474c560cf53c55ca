from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.promotion import (
    COMMITTED,
    IN_FLIGHT,
    PAIRS,
    Kind,
    clusters_on_loopback,
    survive,
)
from tests.harness.network import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.clusters import Clusters
    from tests.harness.network import LiveNetwork


@pytest.fixture
def clusters() -> Iterator[Clusters]:
    with clusters_on_loopback() as made:
        yield made


@pytest.fixture
def live(clusters: Clusters) -> Iterator[LiveNetwork]:
    """A network whose registry is the two servers'."""
    with running(*PAIRS, database_url=clusters.url) as network:
        yield network


async def test_a_promoted_standby_has_all_that_was_accepted_and_the_old_primary_gets_nothing(
    live: LiveNetwork, clusters: Clusters
) -> None:
    found = await survive(live, clusters, Kind.KILLED)
    assert found.in_flight >= IN_FLIGHT
    assert found.zombie_wrote == 0
    assert found.took <= COMMITTED
    await live.judged()
