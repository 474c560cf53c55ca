from __future__ import annotations

import pytest

from hub.core.errors import (
    ClientFrozen,
    FrameInvalid,
    HubError,
    LaneNotFound,
    ProofBatchInvalid,
    RateLimited,
    RegistryUnreachable,
)
from hub.core.time import Duration
from relayer.penalties import Penalties
from relayer.steps.strikes import FIRST, FREE
from tests.harness.clock import ManualClock
from tests.harness.exchange import HANGZHOU, SUZHOU

FALSE = ProofBatchInvalid(leaf=1, rule="is not in it")


def failing(penalties: Penalties, count: int, error: HubError = FALSE) -> None:
    for _ in range(count):
        penalties.judged(HANGZHOU, "packets", error)


@pytest.mark.parametrize(
    "error",
    [FALSE, FrameInvalid(frame="f", problem="p"), LaneNotFound(name="lanes/x")],
)
async def test_who_fails_again_and_again_waits_and_the_error_says_how_long(
    error: HubError,
) -> None:
    clock = ManualClock()
    penalties = Penalties(clock)
    failing(penalties, FREE, error)
    penalties.check(HANGZHOU, "packets")
    failing(penalties, 1, error)
    with pytest.raises(RateLimited) as caught:
        penalties.check(HANGZHOU, "packets")
    assert caught.value.wait_ms == 250
    await clock.advance(Duration(FIRST - 1))
    with pytest.raises(RateLimited) as caught:
        penalties.check(HANGZHOU, "packets")
    assert caught.value.wait_ms == 1
    await clock.advance(Duration(1))
    penalties.check(HANGZHOU, "packets")


def test_others_and_other_kinds_of_frames_are_not_slowed() -> None:
    penalties = Penalties(ManualClock())
    failing(penalties, FREE + 9)
    penalties.check(SUZHOU, "packets")
    penalties.check(HANGZHOU, "acknowledgements")


@pytest.mark.parametrize(
    "error",
    [
        ClientFrozen(client="c", cause="c"),
        RegistryUnreachable(problem="p"),
        RateLimited(what="w", wait_ms=1),
    ],
)
def test_what_is_no_fault_of_its_evidence_costs_nothing(error: HubError) -> None:
    penalties = Penalties(ManualClock())
    failing(penalties, 10 * FREE, error)
    penalties.check(HANGZHOU, "packets")
