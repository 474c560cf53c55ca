"""An adapter that dials three relayers at once: one has it, and none takes it from another."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import Reason
from hub.core.time import SECOND
from relayer.gateway import LEASE_WITHIN
from relayer.switchboard import Switchboard
from tests.harness.clock import FixedChance, settle, until
from tests.harness.dialler import Dialled, Dialler, dialled
from tests.harness.exchange import HANGZHOU
from tests.harness.station import Station, station

if TYPE_CHECKING:
    from pathlib import Path

RELAYERS = ("east-1", "west-1", "south-1")


async def gates(stack: AsyncExitStack, directory: Path) -> list[Dialled]:
    """Three relayers over one registry; nobody holds Hangzhou's lease."""
    east = await stack.enter_async_context(station())
    await east.registry.leases.release(east.exchange.fences[HANGZHOU])
    found = []
    for name in RELAYERS:
        board = Switchboard(east.registry, east.clock, FixedChance(), east.board.pool, name)
        beside = Station(east.exchange, east.clock, board)
        found.append(await stack.enter_async_context(dialled(beside, directory / name)))
    return found


async def test_one_wins_the_others_are_told_and_nothing_moves(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        three = await gates(stack, tmp_path)
        clock, registry = three[0].station.clock, three[0].station.registry
        diallers = [gate.dial() for gate in three]
        await asyncio.gather(*[dialler.hello() for dialler in diallers])
        await until(lambda: all(HANGZHOU in gate.gateway._newest for gate in three))
        await until(lambda: any(gate.gateway.owners for gate in three))
        await settle()
        winners = [gate for gate in three if gate.gateway.owners]
        assert len(winners) == 1
        epoch = registry.state.leases[HANGZHOU].epoch
        winner = diallers[three.index(winners[0])]
        for _ in range(2 * LEASE_WITHIN // SECOND):
            await heard(winner, winners[0])
            await clock.advance(SECOND)
        losers = [dialler for dialler in diallers if dialler is not winner]
        assert [(await one.end()).reason for one in losers] == [Reason.LEASE_LOST] * 2
        lease = registry.state.leases[HANGZHOU]
        assert (lease.epoch, lease.owner) == (epoch, winners[0].station.board.name)
        assert list(winners[0].gateway.owners) == [HANGZHOU]
        assert [one for one in await registry.audit.violations() if one.count] == []


async def heard(dialler: Dialler, gate: Dialled) -> None:
    """The winner's session has heard its adapter now."""
    session = gate.gateway._newest[HANGZHOU]
    before = session._last_frame_id
    await dialler.say(heartbeat=pb.Heartbeat())
    await until(lambda: session._last_frame_id > before)
