"""Two relayer processes over one registry: each owns one city, as a test needs them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.time import SECOND
from hub.ports.registry import Topic
from relayer.owner import PeerOwner
from relayer.switchboard import Switchboard
from tests.harness.clock import FixedChance
from tests.harness.exchange import HANGZHOU, LEASE, SUZHOU
from tests.harness.station import Station, station

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

T = TypeVar("T")

WEST = "west-1"
PATIENCE = 60
"""Seconds of manual time after which a test has failed."""


@dataclass
class TwoBoards:
    """East owns Suzhou, west owns Hangzhou."""

    east: Station
    west: Station

    async def done(self, work: Coroutine[object, object, T]) -> T:
        """What *work* returns; time passes until it does."""
        task = asyncio.ensure_future(work)
        for _ in range(PATIENCE):
            await self.east.rests()
            if task.done():
                return task.result()
            await self.second()
        task.cancel()
        raise AssertionError(f"not done in {PATIENCE} s")

    async def second(self) -> None:
        """A second passes, and both cities are heard."""
        for adapter in (self.east.right, self.west.left):
            if not adapter.session.ended.is_set():
                adapter.say(heartbeat=pb.Heartbeat())
        await self.east.clock.advance(SECOND)

    async def hints(self) -> None:
        """Both hear what is announced, until they are cancelled."""
        async for change in self.east.registry.changes.listen():
            if change.topic is Topic.ANSWERED:
                for one in (self.east, self.west):
                    one.board.forwarder.told(int(change.key))
            elif change.topic is Topic.FORWARDED:
                for one in (self.east, self.west):
                    for owner in one.owners.values():
                        if owner.peer == change.key:
                            owner.forwarded()


@asynccontextmanager
async def two_boards(*, opened: bool = True) -> AsyncIterator[TwoBoards]:
    """Both own their city, and hear no hints."""
    async with station(opened=opened) as east:
        board = Switchboard(east.registry, east.clock, FixedChance(), east.board.pool, WEST)
        west = Station(east.exchange, east.clock, board)
        await east.registry.leases.release(east.exchange.fences[HANGZHOU])
        await east.own(SUZHOU)
        fence = await east.registry.leases.acquire(HANGZHOU, WEST, LEASE)
        assert fence is not None
        east.exchange.fences[HANGZHOU] = fence
        adapter = west._adapter(HANGZHOU)
        owner = PeerOwner(board, adapter.session, fence, west.telemetry)
        await owner.start()
        west.owners[HANGZHOU] = owner
        try:
            yield TwoBoards(east, west)
        finally:
            await west.close()
