from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.client import CONNECT_WITHIN, LASTING, Relayers
from adapters.sdk.submission import Headers
from hub.core.client import Header
from hub.core.errors import AdapterOffline, ShuttingDown
from hub.core.ids import ChainId
from hub.core.lane import Side
from hub.core.ranges import RangeSet
from hub.core.time import MILLISECOND, SECOND, Duration
from tests.harness.attached import Attached, attached, cursor
from tests.harness.city import CLIENT, PaperChain
from tests.harness.clock import until

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


async def drained(both: Attached, prefer: str) -> None:
    """A session that lasted has ended: its relayer asked for that, and said whom to dial."""
    session = await both.session(cursor())
    await both.advance(session, LASTING // SECOND)
    session.say(drain=pb.Drain(prefer=prefer))
    await session.gone()
    session.end(ShuttingDown())


async def test_a_relayer_that_the_drain_names_is_dialled_at_once(both: Attached) -> None:
    await drained(both, f"127.0.0.1:{both.relayer.port}")
    before = both.clock.now()
    await both.relayer.attached()
    assert both.clock.now() == before


async def test_an_address_that_is_not_its_own_is_never_dialled(both: Attached) -> None:
    await drained(both, "127.0.0.1:9")
    await both.redialled(cursor())


async def test_relayers_that_send_it_to_and_fro_are_not_dialled_without_a_pause(
    both: Attached,
) -> None:
    address = f"127.0.0.1:{both.relayer.port}"
    await drained(both, address)
    session = await both.session(cursor())
    session.say(drain=pb.Drain(prefer=address))
    await session.gone()
    await until(lambda: both.client._session is None and both.clock.is_awaited)
    assert both.relayer.sessions.empty()


async def test_the_relayer_that_has_just_gone_is_not_the_next_one_dialled() -> None:
    relayers = Relayers(addresses=["a:1", "b:1", "c:1"], cert_file="", key_file="", ca_file="")
    assert [relayers.after(one) for one in relayers.addresses] == ["b:1", "c:1", "a:1"]


async def test_a_relayer_that_stands_still_does_not_hold_up_the_dial(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stopped:  # the kernel takes connections for it
        address = f"127.0.0.1:{stopped.getsockname()[1]}"
        async with attached(tmp_path, first_relayers=(address,)) as both:
            await until(lambda: both.clock.is_awaited)
            await both.clock.advance(CONNECT_WITHIN)
            await until(lambda: both.clock.is_awaited)
            await both.clock.advance(SECOND)
            await both.relayer.attached()
