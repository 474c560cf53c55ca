"""The workers of both sessions of a station, and a lane whose ways out only listen."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.wire.frames import ranges_from_proto
from relayer.inbound import Inbound
from relayer.runner import FlowRunner
from tests.harness.exchange import HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ydhub.relay.v1 import relay_pb2 as pb

    from hub.core.packet import Packet
    from relayer.steps.events import Event
    from tests.harness.station import Station


class Listener(FlowRunner):
    """A way out that only listens."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def feed(self, event: Event) -> None:
        self.events.append(event)


@dataclass
class Working:
    """The workers of both sessions, and the ways out of the lane, which only listen."""

    board: Station
    left: Inbound
    right: Inbound
    delivery: Listener
    settlement: Listener


@asynccontextmanager
async def working(board: Station) -> AsyncIterator[Working]:
    desk = await board.desk()
    delivery, settlement = Listener(), Listener()
    desk.delivery, desk.settlement = delivery, settlement
    workers = [
        Inbound(
            board.board, board.adapters[peer].session, board.exchange.fences[peer], board.telemetry
        )
        for peer in (HANGZHOU, SUZHOU)
    ]
    running = [asyncio.ensure_future(worker.run()) for worker in workers]
    yield Working(board, workers[0], workers[1], delivery, settlement)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


def reasons(verdict: pb.Verdict) -> list[tuple[int, str]]:
    return [(refused.sequence, refused.reason) for refused in verdict.refused]


def numbers(ranges: Any) -> list[int]:
    return list(ranges_from_proto(ranges))


async def show_packets(at: Working, shown: list[Packet], **changes: Any) -> pb.Verdict:
    """The verdict on packets whose header was shown before."""
    left = at.board.left
    await left.show()
    return await left.verdict(packets=left.packets(shown, **changes))


async def delivered(at: Working, count: int, **how: Any) -> list[Packet]:
    """Packets that were accepted, and executed on the right's chain."""
    exchange = at.board.exchange
    packets = exchange.send(count, **how)
    await exchange.accept(packets)
    await exchange.deliver(packets)
    exchange.path.advance()
    await at.board.know()
    await at.board.fresh_desk()
    return packets
