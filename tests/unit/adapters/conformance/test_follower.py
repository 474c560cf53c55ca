from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.conformance.follower import Follower
from adapters.simchain.misbehave import Forgery, equivocate, forge_header
from adapters.simchain.queries import anchor_at
from hub.core.errors import (
    AnchorMismatch,
    ConsensusStateDiffers,
    HeaderNotFound,
    HubError,
)
from hub.core.time import SECOND, Timestamp
from tests.harness.clock import START, ManualClock
from tests.harness.simchain import TRUST, chain_of

if TYPE_CHECKING:
    from adapters.simchain.chain import Chain
    from hub.core.client import Header


class Chains:
    """A chain as its adapter's source of headers."""

    def __init__(self, blocks: int = 60) -> None:
        self.chain: Chain = chain_of("hangzhou")
        for number in range(blocks):
            self.chain.produce_block(Timestamp(START + number * SECOND))
        self.asked: list[int] = []
        clock = ManualClock(Timestamp(START + 100 * SECOND))
        self.follower = Follower(anchor_at(self.chain, 3, TRUST), self, clock)

    def header(self, number: int) -> Header:
        return self.chain.light_block(number).header

    async def ask_header(self, number: int) -> Header:
        self.asked.append(number)
        return self.header(number)


async def test_it_begins_at_the_anchors_header_and_at_no_other() -> None:
    both = Chains()
    assert both.follower.newest is None
    for number in (2, 4):
        with pytest.raises(AnchorMismatch):
            await both.follower.add(both.header(number))
    state = await both.follower.add(both.header(3))
    assert both.follower.newest == state == both.follower.state(3)
    assert await both.follower.add(both.header(3)) == state


async def test_a_far_header_is_reached_by_those_between() -> None:
    both = Chains()
    await both.follower.add(both.header(3))
    state = await both.follower.add(both.header(60))
    assert state.height.number == 60
    assert both.asked
    steps = await both.follower.steps(3, 60)
    assert len(steps) > 1
    assert await both.follower.header(59) == both.header(59)


async def test_a_header_of_before_the_anchor_is_not_followed() -> None:
    both = Chains()
    await both.follower.add(both.header(3))
    with pytest.raises(AnchorMismatch):
        await both.follower.add(both.header(2))
    with pytest.raises(HeaderNotFound):
        both.follower.state(2)


@pytest.mark.parametrize("forgery", list(Forgery))
async def test_a_forged_header_is_refused(forgery: Forgery) -> None:
    both = Chains()
    await both.follower.add(both.header(3))
    with pytest.raises(HubError):
        await both.follower.add(forge_header(both.chain, 4, forgery).header)
    assert both.follower.newest == both.follower.state(3)


async def test_a_second_header_of_one_height_is_refused() -> None:
    both = Chains()
    await both.follower.add(both.header(3))
    await both.follower.add(both.header(5))
    with pytest.raises(ConsensusStateDiffers):
        await both.follower.add(equivocate(both.chain, 5).header)
