"""5,000 packets that stand committed on one live chain, on their way to another and back.

The source's adapter is away while they are sent, so that the hub knows nothing of them. The clock
starts when the adapters do.
"""

from __future__ import annotations

import asyncio
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import psutil
from ydhub.lane.v1 import lane_service_pb2

from hub.cli.clock import wall_clock
from hub.cli.connection import connect
from hub.cli.dev.layout import POSTGRES, RELAYER
from hub.cli.dev.network import STOP_WITHIN
from hub.cli.settings import Given, resolve
from hub.core.time import MILLISECOND, SECOND
from tests.chains.cosmos.bench.blocks import BlockLoad, read_blocks
from tests.chains.cosmos.cities import EAST, WEST, Cities, running
from tests.chains.cosmos.options import ChainOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.lane import LaneKey

SAMPLE_S: Final = 0.25
PER_TRANSACTION: Final = 100
"""Transfers in one transaction of the user who sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Where the packets were at one moment."""

    at_ms: int
    accepted: int
    """By the hub, durable."""
    in_mempool: int
    """Transactions at the destination's node."""
    completed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that a run read."""

    packets: int
    began_ms: int
    ended_ms: int
    samples: tuple[Sample, ...]
    there: tuple[BlockLoad, ...]
    """The destination's blocks."""
    back: tuple[BlockLoad, ...]
    """The source's blocks."""
    cpu_s: dict[str, float]
    """Of each process while the packets went."""
    machine: str
    made_at: str

    def as_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)


async def run(packets: int, say: Callable[[str], None]) -> Outcome:
    """What came of *packets* that were committed before. Raises ``AssertionError``."""
    options = ChainOptions(mempool_transactions=20_000)
    async with running({WEST: options, EAST: options}) as cities:
        lane = await cities.open_lane()
        say(f"lane {lane} is open")
        for peer in (WEST, EAST):
            await cities.network.processes.stop(peer, STOP_WITHIN)
        await cities.transfer(lane, packets)
        say(f"{packets} packets stand committed on {WEST}; the adapters start")
        outcome = await _measure(cities, lane, packets, say)
        await cities.conserved(lane)
        return outcome


async def _measure(
    cities: Cities, lane: LaneKey, packets: int, say: Callable[[str], None]
) -> Outcome:
    west, east = cities.cities[WEST].chain, cities.cities[EAST].chain
    first = {WEST: await west.height(), EAST: await east.height()}
    before = _cpu(cities)
    began = wall_clock()
    for peer in (WEST, EAST):
        cities.launch(peer)
    samples = await _sample(cities, lane, packets, say)
    ended = wall_clock()
    after = _cpu(cities)
    await asyncio.sleep(2)
    return Outcome(
        packets=packets,
        began_ms=began // MILLISECOND,
        ended_ms=ended // MILLISECOND,
        samples=tuple(samples),
        there=tuple(await read_blocks(east, first[EAST] + 1, await east.height() - 1)),
        back=tuple(await read_blocks(west, first[WEST] + 1, await west.height() - 1)),
        cpu_s={name: round(used - before.get(name, 0), 3) for name, used in after.items()},
        machine=f"{psutil.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}",
        made_at=f"{datetime.fromtimestamp(wall_clock() // SECOND, tz=UTC):%Y-%m-%dT%H:%M:%SZ}",
    )


async def _sample(
    cities: Cities, lane: LaneKey, packets: int, say: Callable[[str], None]
) -> list[Sample]:
    """One sample each quarter of a second, until everything has ended."""
    settings = resolve(Given(directory=cities.directory))
    east = cities.cities[EAST].chain
    request = lane_service_pb2.GetLaneRequest(name=lane.name)
    samples: list[Sample] = []
    async with connect(settings) as hub, asyncio.timeout(600):
        while not samples or samples[-1].completed < packets:
            await asyncio.sleep(SAMPLE_S)
            shown = (await hub.call(hub.lanes.GetLane, request)).lane
            waiting = await east.call("num_unconfirmed_txs", {})
            samples.append(
                Sample(
                    at_ms=wall_clock() // MILLISECOND,
                    accepted=shown.accepted_count,
                    in_mempool=int(waiting["total"]),
                    completed=shown.completed_count,
                )
            )
            if len(samples) % 8 == 0:
                say(
                    f"{shown.accepted_count} accepted, {shown.outcome_count} proven, "
                    f"{shown.completed_count} completed"
                )
    return samples


def _cpu(cities: Cities) -> dict[str, float]:
    """Seconds of CPU time of each process so far, with what its threads and children used."""
    network = cities.network
    numbers = {
        "relayer": network.number(RELAYER),
        "postgres": network.number(POSTGRES),
        f"adapter {WEST}": network.number(WEST),
        f"adapter {EAST}": network.number(EAST),
        **{f"chain {peer}": city.chain.pid() for peer, city in cities.cities.items()},
    }
    return {name: _used(number) for name, number in numbers.items() if number is not None}


def _used(number: int) -> float:
    process = psutil.Process(number)
    times = process.cpu_times()
    used = times.user + times.system
    children = process.children(recursive=True)
    if children:
        used += times.children_user + times.children_system
    for child in children:
        try:
            own = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += own.user + own.system
    return float(used)
