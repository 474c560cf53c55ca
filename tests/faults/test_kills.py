from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.failpoints import Failpoint as City
from relayer.failpoints import Failpoint as Hub
from tests.faults.matrix import PASSES, Kill, every_kill, survive

if TYPE_CHECKING:
    from tests.harness.network import LiveNetwork


def test_no_failpoint_is_left_out() -> None:
    assert {kill.failpoint for kill in every_kill()} == {*Hub, *City} == set(PASSES)


@pytest.mark.parametrize("kill", every_kill(), ids=str)
async def test_a_process_that_dies_there_loses_and_doubles_nothing(
    live: LiveNetwork, kill: Kill
) -> None:
    await survive(live, kill)
