"""A chain that withholds, stands still or reorders delays packets; every one still ends right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ydhub.simchain.v1 import simchain_service_pb2 as simchain

from tests.harness.network import HANGZHOU, SUZHOU
from tests.harness.traffic import a_packet_passes

if TYPE_CHECKING:
    from tests.harness.network import LiveNetwork

KINDS = simchain.MisbehaveRequest
LONG_MS = 600_000


async def turn(
    live: LiveNetwork, peer: str, kind: KINDS.Kind.ValueType, milliseconds: int, client: str = ""
) -> None:
    """The switch is on for that long; 0 turns it off."""
    request = KINDS(kind=kind, client=client, duration_ms=milliseconds)
    async with live.chain(peer) as chain:
        answer = await chain.call(chain.simchain.Misbehave, request)
    assert answer.reason == ""


async def test_withheld_packets_are_carried_once_they_are_shown(live: LiveNetwork) -> None:
    lane = live.lane(HANGZHOU, SUZHOU)
    kind, client = KINDS.KIND_WITHHOLD, lane.source_client
    await turn(live, HANGZHOU, kind, LONG_MS, client)
    try:
        before = (await live.shown(lane)).accepted_count
        sent = await live.send(lane, 300)
        await a_packet_passes(live, SUZHOU, HANGZHOU)
        assert (await live.shown(lane)).accepted_count == before
    finally:
        await turn(live, HANGZHOU, kind, 0, client)
    await live.reached(lane, sent.last_sequence, "COMPLETED")
    await live.judged()


async def test_packets_to_a_chain_that_stands_still_wait_for_it(live: LiveNetwork) -> None:
    lane = live.lane(HANGZHOU, SUZHOU)
    await turn(live, SUZHOU, KINDS.KIND_STALL, LONG_MS)
    try:
        sent = await live.send(lane, 300)

        async def all_are_accepted() -> bool:
            return (await live.shown(lane)).accepted_count == live.sent[lane]

        await live.until(all_are_accepted, "acceptance")
        assert await live.state(lane, sent.first_sequence) == "ACCEPTED"
    finally:
        await turn(live, SUZHOU, KINDS.KIND_STALL, 0)
    await live.reached(lane, sent.last_sequence, "COMPLETED")
    await live.judged()


@pytest.mark.parametrize("peer", [HANGZHOU, SUZHOU])
async def test_items_and_executions_in_another_order_end_the_same(
    live: LiveNetwork, peer: str
) -> None:
    lanes = [live.lane(HANGZHOU, SUZHOU), live.lane(SUZHOU, HANGZHOU)]
    await turn(live, peer, KINDS.KIND_REORDER, LONG_MS)
    try:
        for _ in range(3):
            for lane in lanes:
                await live.send(lane, 700)
        await live.ended()
    finally:
        await turn(live, peer, KINDS.KIND_REORDER, 0)
    await live.judged()
