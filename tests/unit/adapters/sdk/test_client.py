from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.submission import Headers
from hub.core.client import Header
from hub.core.errors import AdapterOffline
from hub.core.ids import ChainId
from hub.core.lane import Side
from hub.core.ranges import RangeSet
from hub.core.time import MILLISECOND, Duration
from tests.harness.attached import Attached, attached, cursor
from tests.harness.city import CLIENT, PaperChain

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_submission_of_its_own_hears_its_verdict(both: Attached) -> None:
    session = await both.session()
    shown = Headers((Header(content=b"forged", validators=b"v"),))
    submitted = asyncio.ensure_future(both.client.submit(shown))
    frame = await session.expect("headers")
    session.refuse(frame, "QUORUM_NOT_REACHED", retryable=False)
    verdict = await submitted
    assert verdict.whole is not None
    assert verdict.whole.reason == "QUORUM_NOT_REACHED"


async def test_a_submission_fails_with_its_session(both: Attached) -> None:
    with pytest.raises(AdapterOffline):
        await both.client.submit(Headers(()))
    session = await both.session()
    submitted = asyncio.ensure_future(both.client.submit(Headers(())))
    await session.expect("headers")
    session.end()
    with pytest.raises(AdapterOffline):
        await submitted


async def test_the_session_tells_its_lanes(both: Attached) -> None:
    await both.session(cursor(done=((1, 4),)))
    assert both.client.lane(CLIENT, Side.SOURCE).done == RangeSet.span(1, 5)


async def test_addresses_are_tried_in_turn(tmp_path: Path) -> None:
    async with attached(tmp_path, more_relayers=2) as both:
        session = asyncio.ensure_future(both.relayer.attached())
        for _ in range(20):
            if session.done():
                break
            await asyncio.wait([session], timeout=0.1)
            await both.clock.advance(Duration(500 * MILLISECOND))
        await session


async def test_a_chain_of_another_name_is_only_logged(tmp_path: Path) -> None:
    chain = PaperChain()
    chain.chain_id = ChainId("wuxi-1")
    async with attached(tmp_path, chain=chain) as both:
        session = await both.relayer.attached()
        assert (await session.expect("hello")).hello.chain_id == "wuxi-1"
