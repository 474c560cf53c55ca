"""``ydhub dev demo`` as a test; and what it leaves, frozen further by an administrator."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from ydhub.client.v1 import client_service_pb2

from hub.cli.dev.demo import Demo
from hub.core.lane import LaneKey
from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.network import LiveNetwork

SHOWN = 16
"""Things that the demo shows at least."""


async def adopt(live: LiveNetwork) -> None:
    """The lanes that stand, and what their sources sent by their own ledgers."""
    for lane in await live.listed():
        key = LaneKey.parse(lane.name)
        effects = (await live.ledger(key.source_peer)).effects
        live.lanes.append(key)
        live.sent[key] = Counter(one.client for one in effects if one.is_source)[key.source_client]


async def freeze(live: LiveNetwork, peer: str) -> None:
    request = client_service_pb2.FreezeClientRequest(name=f"peers/{peer}/client", cause="a drill")
    async with live.hub() as hub:
        await hub.call(hub.clients.FreezeClient, request)
    live.stopped.add(peer)


@pytest.mark.timeout(240)
async def test_the_demo_holds_and_a_client_that_is_frozen_by_hand_holds_its_packets(
    whole: LiveNetwork,
) -> None:
    told: list[tuple[str, str]] = []
    report = await Demo(whole.network, whole.settings, lambda *words: told.append(words)).run()
    assert report.failures == []
    assert len(report.lines) >= SHOWN
    assert told

    await adopt(whole)
    whole.stopped.add(SHANGHAI)
    await freeze(whole, SUZHOU)
    lane = whole.lane(HANGZHOU, SUZHOU)
    ended = (await whole.shown(lane)).completed_count
    towards = await whole.send(lane, 5)
    away = await whole.send(whole.lane(SUZHOU, HANGZHOU), 5)
    await whole.reached(lane, towards.last_sequence, "ACCEPTED")
    findings = await whole.judged()
    assert findings.waiting >= 10
    assert await whole.state(lane, towards.last_sequence) == "ACCEPTED"
    assert await whole.state(whole.lane(SUZHOU, HANGZHOU), away.last_sequence) == ""
    assert (await whole.shown(lane)).completed_count == ended


@pytest.fixture
def whole() -> Iterator[LiveNetwork]:
    with running() as network:
        yield network
