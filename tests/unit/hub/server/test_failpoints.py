from __future__ import annotations

import pytest

from hub.server.failpoints import Failpoint, hit
from hub.wire.failpoints import KILLED
from tests.harness.failpoints import placed_nowhere, second_pass


def test_an_unarmed_failpoint_does_nothing() -> None:
    for point in Failpoint:
        hit(point)


@pytest.mark.parametrize("point", Failpoint)
def test_the_process_dies_at_the_pass_that_was_asked_for(point: Failpoint) -> None:
    assert second_pass("hub.server.failpoints", point) == (KILLED, b"once\n")


def test_every_failpoint_is_placed_in_the_hub_server() -> None:
    assert placed_nowhere(Failpoint, "hub/server") == []
