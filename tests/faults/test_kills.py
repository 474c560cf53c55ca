from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.failpoints import Failpoint as City
from hub.server.failpoints import Failpoint as Server
from relayer.failpoints import Failpoint as Hub
from tests.faults.crash_points import CRASH_POINTS
from tests.faults.matrix import PASSES, Kill, every_kill, survive

if TYPE_CHECKING:
    from tests.harness.network import LiveNetwork


pytestmark = pytest.mark.timeout(300)


def test_no_failpoint_is_left_out() -> None:
    assert {kill.failpoint for kill in every_kill()} == {*Hub, *City, *Server} == set(PASSES)


def test_every_crash_point_has_its_failpoints_or_says_why_not() -> None:
    assert list(CRASH_POINTS) == [f"C{number}" for number in range(1, 19)]
    assert [
        row for row in CRASH_POINTS.values() if bool(row.failpoints) == bool(row.elsewhere)
    ] == []
    placed = [point for row in CRASH_POINTS.values() for point in row.failpoints]
    assert sorted(placed) == sorted(PASSES)


@pytest.mark.parametrize("kill", every_kill(), ids=str)
async def test_a_process_that_dies_there_loses_and_doubles_nothing(
    live: LiveNetwork, kill: Kill
) -> None:
    await survive(live, kill)
