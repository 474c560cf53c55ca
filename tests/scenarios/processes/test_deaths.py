"""Processes end and come again under load; whatever was accepted ends, once."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from ydhub.hub.v1 import status_service_pb2

from hub.cli.dev.layout import CHAINS, HUB, POSTGRES, PROCESSES, RELAYER
from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU
from tests.harness.traffic import a_packet_is_acknowledged, a_packet_passes, load

if TYPE_CHECKING:
    from tests.harness.network import LiveNetwork


def numbers(live: LiveNetwork, *names: str) -> list[int | None]:
    return [live.network.number(name) for name in names]


async def test_a_relayer_that_is_told_to_stop_drains_and_gives_its_leases_back(
    live: LiveNetwork,
) -> None:
    await load(live)
    live.network.processes.send(RELAYER, signal.SIGTERM)
    assert await live.died(RELAYER) == 0
    async with live.hub() as hub:
        status = await hub.call(hub.status.GetStatus, status_service_pb2.GetStatusRequest())
    assert list(status.relayers) == []
    await live.network.start(RELAYER)
    await live.attached(*CHAINS)
    await a_packet_passes(live)
    await live.judged()


@pytest.mark.parametrize("name", [RELAYER, SUZHOU])
async def test_a_process_that_is_killed_under_load_goes_on_when_it_comes_again(
    live: LiveNetwork, name: str
) -> None:
    await load(live)
    await live.kill(name)
    live.network.launch(name)
    await a_packet_passes(live)
    await live.judged()


async def test_a_city_that_stands_still_is_not_attached_and_attaches_again(
    live: LiveNetwork,
) -> None:
    await load(live)
    live.network.processes.send(SUZHOU, signal.SIGSTOP)
    try:
        await live.detached(SUZHOU)
        await a_packet_passes(live, HANGZHOU, SHANGHAI)
    finally:
        live.network.processes.send(SUZHOU, signal.SIGCONT)
    await a_packet_passes(live)
    await live.judged()


async def test_a_relayer_that_stood_still_beyond_its_leases_writes_nothing_stale(
    live: LiveNetwork,
) -> None:
    await load(live)
    live.network.processes.send(RELAYER, signal.SIGSTOP)
    try:
        await live.detached(*CHAINS)
    finally:
        live.network.processes.send(RELAYER, signal.SIGCONT)
    await a_packet_passes(live)
    await live.judged()


async def test_a_database_that_is_killed_under_load_takes_nothing_with_it(
    live: LiveNetwork,
) -> None:
    await load(live)
    before = numbers(live, *PROCESSES)
    await live.kill(POSTGRES)
    await live.network.up()
    await a_packet_passes(live)
    assert numbers(live, *PROCESSES) == before
    await live.judged()


async def test_packets_do_not_need_the_hub_server(live: LiveNetwork) -> None:
    await load(live)
    await live.kill(HUB)
    await a_packet_is_acknowledged(live)
    await live.network.start(HUB)
    await live.judged()


async def test_everything_may_be_killed_at_once(live: LiveNetwork) -> None:
    await load(live)
    await asyncio.gather(*[live.kill(name) for name in (*PROCESSES, POSTGRES)])
    await live.network.up()
    await a_packet_passes(live)
    await live.judged()
