from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.conformance.updates import plan
from adapters.simchain.queries import anchor_at
from hub.core.time import SECOND, Timestamp
from tests.harness.simchain import LIGHT_CLIENT, START, TRUST, chain_of

if TYPE_CHECKING:
    from adapters.simchain.chain import Chain
    from hub.core.client import ConsensusState, Header


class Headers:
    """A chain's own headers; which were asked for is noted."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.asked: list[int] = []

    async def header(self, number: int) -> Header:
        self.asked.append(number)
        return self.chain.light_block(number).header

    async def validators_after(self, state: ConsensusState) -> bytes:
        return self.chain.config.schedule.at(state.height.number + 1).content


def grown(blocks: int) -> Headers:
    chain = chain_of("hangzhou")
    for number in range(blocks):
        chain.produce_block(Timestamp(START + number * SECOND))
    return Headers(chain)


async def test_one_step_leads_as_far_as_the_trusted_set_has_signed() -> None:
    headers = grown(7)
    anchor = anchor_at(headers.chain, 1, TRUST)
    steps = await plan(LIGHT_CLIENT, anchor, headers, 1, 6)
    assert [LIGHT_CLIENT.read_header(step.header).height.number for step in steps] == [6]


async def test_the_way_is_halved_where_the_set_has_changed() -> None:
    headers = grown(60)
    anchor = anchor_at(headers.chain, 1, TRUST)
    steps = await plan(LIGHT_CLIENT, anchor, headers, 1, 60)
    heights = [LIGHT_CLIENT.read_header(step.header).height.number for step in steps]
    assert len(heights) > 1
    assert heights == sorted(heights)
    assert heights[-1] == 60
    trusted = [step.trusted_height.number for step in steps if step.trusted_height]
    assert trusted == [1, *heights[:-1]]


async def test_no_step_leads_to_where_one_stands() -> None:
    headers = grown(3)
    anchor = anchor_at(headers.chain, 2, TRUST)
    assert await plan(LIGHT_CLIENT, anchor, headers, 2, 2) == []
