from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import RegistryUnreachable
from hub.core.ids import PeerId
from hub.core.time import SECOND
from relayer.presence import AWAY_EVERY, Presence
from relayer.steps.balance import STEADY
from tests.harness.clock import settle, until
from tests.harness.dialler import Dialled, dialled
from tests.harness.exchange import ADMIN, ANCHOR_HEIGHT, HANGZHOU, LEASE, SUZHOU

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.harness.station import Station

EAST, WEST = "east-1", "west-1"
LISTENS = "127.0.0.1:9700"
WUXI = PeerId("wuxi")


@pytest.fixture
async def gate(board: Station, tmp_path: Path) -> AsyncIterator[Dialled]:
    """A gateway that adapters can dial; nobody holds a lease."""
    for fence in board.exchange.fences.values():
        await board.registry.leases.release(fence)
    async with dialled(board, tmp_path / "certs") as found:
        yield found


def presence(gate: Dialled, address: str = "") -> Presence:
    return Presence(gate.station.board, gate.gateway, address, "1.0")


async def attached(gate: Dialled) -> None:
    """Hangzhou's adapter is welcomed."""
    await gate.dial().hello()
    await until(lambda: HANGZHOU in gate.gateway.owners)


def drained(gate: Dialled) -> list[str]:
    """What Hangzhou's session was told to dial instead."""
    session = gate.gateway._newest[HANGZHOU]
    return [HANGZHOU] if session._is_draining else []


async def test_it_is_known_from_its_first_look_on(gate: Dialled) -> None:
    registry = gate.station.registry
    await presence(gate).look(LISTENS)
    found = await registry.relayers.get(EAST)
    assert (found.address, found.version, found.is_alive) == (LISTENS, "1.0", True)
    await presence(gate, "relay.example:443").look(LISTENS)
    assert (await registry.relayers.get(EAST)).address == "relay.example:443"


async def test_it_beats_and_is_not_alive_after_its_end(gate: Dialled) -> None:
    registry, here = gate.station.registry, presence(gate)
    await here.look(LISTENS)
    await gate.station.clock.advance(SECOND)
    await here.look(LISTENS)
    found = await registry.relayers.get(EAST)
    assert found.heartbeat_at == found.started_at + SECOND
    await here.end()
    assert not (await registry.relayers.get(EAST)).is_alive


async def test_it_drains_when_told_and_takes_sessions_again(gate: Dialled) -> None:
    registry, here = gate.station.registry, presence(gate)
    await here.look(LISTENS)
    await attached(gate)
    await registry.relayers.begin(WEST, "west:9700", "1.0")
    await registry.relayers.drain(EAST, "repair", ADMIN)
    await here.look(LISTENS)
    assert drained(gate) == [HANGZHOU]
    assert gate.gateway._draining
    await registry.relayers.undrain(EAST, "done", ADMIN)
    await here.look(LISTENS)
    assert not gate.gateway._draining


async def test_a_hint_spares_the_wait(gate: Dialled) -> None:
    here = presence(gate)
    running = asyncio.ensure_future(here.run(LISTENS))
    await settle()
    await gate.station.registry.relayers.drain(EAST, "repair", ADMIN)
    here.told()
    await until(lambda: gate.gateway._draining)
    running.cancel()


async def test_a_surplus_goes_to_a_relayer_that_has_room(gate: Dialled) -> None:
    registry, here = gate.station.registry, presence(gate)
    await registry.leases.acquire(SUZHOU, EAST, LEASE)
    await attached(gate)
    await registry.relayers.begin(WEST, "west:9700", "1.0")
    await here.look(LISTENS)
    assert drained(gate) == []
    for _ in range(STEADY // SECOND):
        await registry.relayers.beat(WEST)
        await gate.station.clock.advance(SECOND)
        await here.look(LISTENS)
    assert drained(gate) == [HANGZHOU]


async def test_clients_of_cities_attached_elsewhere_are_read_again(gate: Dialled) -> None:
    here, station = presence(gate), gate.station
    keeper = await station.board.keeper(SUZHOU)
    station.exchange.grow(2)
    station.exchange.fences[SUZHOU] = await station.lease(SUZHOU)
    height = station.exchange.chain(SUZHOU).height
    await station.exchange.show(SUZHOU, range(ANCHOR_HEIGHT, height + 1))
    for _ in range(AWAY_EVERY):
        await here.look(LISTENS)
    assert keeper.latest is not None
    assert keeper.latest.height.number == height


async def test_what_the_registry_refuses_costs_one_look(
    gate: Dialled, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, registry = presence(gate), gate.station.registry

    async def away(*_: object) -> None:
        raise RegistryUnreachable(problem="restarting")

    with monkeypatch.context() as patch:
        patch.setattr(registry.relayers, "begin", away)
        patch.setattr(registry.relayers, "all", away)
        patch.setattr(registry.relayers, "end", away)
        running = asyncio.ensure_future(here.run(LISTENS))
        await settle()
        assert await here.others() == []
        await here.end()
    await gate.station.clock.advance(SECOND)
    await until(lambda: EAST in registry.state.relayers)
    running.cancel()


async def test_sessions_are_given_up_sooner_where_another_relayer_would_take_them(
    gate: Dialled,
) -> None:
    here, registry = presence(gate), gate.station.registry
    await here.look(LISTENS)
    assert not gate.station.board.renewals.has_others
    await registry.relayers.begin("west-1", "west:9700", "1")
    await here.look(LISTENS)
    assert gate.station.board.renewals.has_others


def test_a_drain_names_whom_to_dial() -> None:
    assert pb.Drain(prefer="west:9700").prefer == "west:9700"


async def test_hints_of_packets_may_wait_while_there_is_no_other_relayer(
    gate: Dialled, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = gate.station.registry
    heard: list[bool] = []
    monkeypatch.setattr(registry.changes, "relax", heard.append)
    here = presence(gate)
    await here.look(LISTENS)
    await registry.relayers.begin(WEST, "127.0.0.1:9701", "1.0")
    await here.look(LISTENS)
    assert heard == [True, False]
