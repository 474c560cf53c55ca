"""One of each kind of fault, on the network that the kill matrix strikes too."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.faults import connections, databases, pairs, verdict
from tests.faults.chaos import AWAY
from tests.faults.trial import Site

if TYPE_CHECKING:
    from tests.faults.trial import Strike
    from tests.harness.network import LiveNetwork

pytestmark = pytest.mark.timeout(300)

STRIKES: dict[str, Strike] = {
    "two failpoints of one process": pairs.same,
    "a backend of the database": databases.backend,
    "deliveries three times, frames twice": connections.city_repeats,
}


@pytest.mark.parametrize("strike", STRIKES.values(), ids=STRIKES)
async def test_no_fault_loses_or_doubles_a_packet(live: LiveNetwork, strike: Strike) -> None:
    live.may_say = AWAY
    await strike(Site(live), Random(1))
    found = await verdict.reached(live)
    assert found.problems == ()
    assert found.holds
