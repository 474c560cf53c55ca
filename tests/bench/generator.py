"""The process that plays all cities: builds the load, attaches every adapter, runs the phases.

It is told what to do over a pipe, one command at a time, and answers each with one value.
"""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

from ydhub.relay.v1 import relay_pb2 as pb

from adapters.simchain.misbehave import forge_batch
from hub.core.time import SECOND, Timestamp
from tests.bench import clock
from tests.bench.adapter import Adapter
from tests.bench.headers import Headers
from tests.bench.load import build, lane_slots
from tests.bench.stream import Stream
from tests.bench.traffic import Frame, LaneTraffic, phase_frames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection

    from hub.core.client import Anchor
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey
    from tests.bench.load import ChainLoad, Samples
    from tests.bench.plan import Phase, Plan

BUILDERS: Final = 2
"""Chains that are built at the same time."""
_TIMEOUT_AFTER_S: Final = 86_400
_SLACK_S: Final = 60
_FORGE_EVERY_S: Final = 0.01
_SLOWEST: Final = 100
"""Packets a second that a phase must at least make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What the chains are, before anything is sent."""

    anchors: Mapping[PeerId, Anchor]
    samples: Samples
    root: bytes
    """Of the chain that the samples are of."""
    packet_bytes: int
    """Of one canonical packet."""
    build_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    """Where each peer's adapter dials, and with which certificate, key and CA files."""

    addresses: Mapping[PeerId, str]
    files: Mapping[PeerId, tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Run:
    """The phase of that number is to be run."""

    phase: int


@dataclass(frozen=True, slots=True)
class Stop:
    """The sessions are to be closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What the adapters saw of one phase."""

    began_at: int
    """When the first frame was due (monotonic ns)."""
    acknowledged_at: int
    """When the last proven acknowledgement arrived (monotonic ns)."""
    latencies: Sequence[tuple[int, int]]
    """(nanoseconds, packets)."""
    by_lane: Sequence[Sequence[tuple[int, int]]]
    """The same for each lane, in order."""
    refused: Mapping[str, int]
    """Frames with false proofs, by the reason of their refusal."""
    resent: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A command could not be carried out."""

    text: str


def main(pipe: Connection, plan: Plan) -> None:
    """The process, until ``Stop`` or the pipe's end."""
    asyncio.run(_serve(pipe, plan))


async def _serve(pipe: Connection, plan: Plan) -> None:
    generator = Generator(plan)
    try:
        pipe.send(await generator.build())
        while True:
            command = await asyncio.to_thread(pipe.recv)
            if isinstance(command, Stop):
                break
            if isinstance(command, Attach):
                await generator.attach(command)
                pipe.send(None)
            else:
                pipe.send(await generator.run(command.phase))
        pipe.send(None)
    except EOFError:
        return  # whoever started it is gone
    except Exception:  # noqa: BLE001 - whatever it is, whoever started this process must hear it
        pipe.send(Failed(traceback.format_exc()))
    finally:
        await generator.close()


class Generator:
    """All cities of a run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._loads: dict[PeerId, ChainLoad] = {}
        self._headers: dict[PeerId, Headers] = {}
        self._lanes: dict[LaneKey, LaneTraffic] = {}
        self._streams: list[Stream] = []
        self._adapters: dict[PeerId, Adapter] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def build(self) -> Built:
        """Everything is built and signed."""
        began = clock.monotonic()
        plan, loop = self._plan, asyncio.get_running_loop()
        timeout = clock.now() // SECOND + _TIMEOUT_AFTER_S
        with ProcessPoolExecutor(BUILDERS, get_context("spawn")) as pool:
            loads = await asyncio.gather(
                *[loop.run_in_executor(pool, build, plan, peer, timeout) for peer in plan.peers]
            )
        first_at = Timestamp(clock.now() - SECOND)
        for load in loads:
            self._loads[load.peer] = load
            self._headers[load.peer] = Headers(load.peer, load.root, first_at, plan.seconds)
        for lane in plan.lanes:
            self._lanes[lane] = LaneTraffic(lane, self._frames(lane))
        return Built(
            anchors={peer: headers.anchor for peer, headers in self._headers.items()},
            samples=loads[0].samples,
            root=loads[0].root,
            packet_bytes=max([load.packet_bytes for load in loads]),
            build_ms=(clock.monotonic() - began) // 1_000_000,
        )

    async def attach(self, command: Attach) -> None:
        """Every adapter has its session."""
        for peer, load in self._loads.items():
            stream = Stream(command.addresses[peer], command.files[peer])
            self._streams.append(stream)
            adapter = Adapter(load, self._headers[peer], self._lanes, stream)
            await adapter.attach()
            self._adapters[peer] = adapter
            self._tasks.append(asyncio.create_task(adapter.run()))

    async def run(self, number: int) -> Ran:
        """The phase is over: every packet of it is acknowledged. Raises where it cannot be."""
        phase = self._plan.phases[number]
        for traffic in self._lanes.values():
            traffic.start()
        limit = (
            _SLACK_S
            + phase.packets // _SLOWEST
            + phase.interval * max(map(len, phase.slots)) // SECOND
        )
        began_at = clock.monotonic()
        lanes = [
            asyncio.create_task(self._drive(phase, number, at)) for at in range(len(phase.slots))
        ]
        forging = asyncio.create_task(self._forge(phase.forged))
        await self._watch(lanes, limit)
        forging.cancel()
        acknowledged_at = clock.monotonic()
        failures = [text for adapter in self._adapters.values() for text in adapter.failures]
        if failures:
            raise RuntimeError(f"{len(failures)} failures: " + "; ".join(failures[:5]))
        return Ran(
            began_at=began_at,
            acknowledged_at=acknowledged_at,
            latencies=[
                entry for traffic in self._lanes.values() for entry in traffic.latencies.entries
            ],
            by_lane=[self._lanes[lane].latencies.entries for lane in self._plan.lanes],
            refused=self._refused(),
            resent=sum([traffic.resent for traffic in self._lanes.values()]),
        )

    async def close(self) -> None:
        """Nothing of it runs any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stream in self._streams:
            await stream.close()

    def _frames(self, lane: LaneKey) -> list[Frame]:
        batches = self._loads[lane.source_peer].packets[lane]
        replies = self._loads[lane.destination_peer].acknowledgements[lane]
        slots = lane_slots(self._plan, lane)
        return [Frame(*parts) for parts in zip(slots, batches, replies, strict=True)]

    async def _drive(self, phase: Phase, number: int, at: int) -> None:
        """One lane's frames of the phase leave when they are due, and come back."""
        traffic = self._lanes[self._plan.lanes[at]]
        source = self._adapters[traffic.lane.source_peer]
        frames = phase_frames(traffic, self._plan.phases, at, number)
        # Lanes take turns within an interval, as cities would not send all at once.
        start = clock.monotonic() + phase.interval * at // len(phase.slots)
        for place, frame in enumerate(frames):
            if phase.interval:
                due_at = start + place * phase.interval
                await asyncio.sleep(max(0, due_at - clock.monotonic()) / SECOND)
            else:
                await self._room(traffic, phase.window - frame.count)
                await asyncio.sleep(phase.pause / SECOND)
                due_at = clock.monotonic()
            traffic.sent(frame, due_at)
            source.send(frame)
        await self._room(traffic, 0)

    async def _forge(self, rate: int) -> None:
        """The first lane's source shows a packet that it never sends, with a false proof."""
        if not rate:
            return
        traffic = self._lanes[self._plan.lanes[0]]
        source, batch = self._adapters[traffic.lane.source_peer], traffic.frames[-1].batch
        forged = pb.PacketBatch.FromString(batch)
        forged.proof_batch = forge_batch(forged.proof_batch)
        content, began, sent = forged.SerializeToString(), clock.monotonic(), 0
        while True:
            due = (clock.monotonic() - began) * rate // SECOND
            while sent < due:
                source.send_forged(content)
                sent += 1
            await asyncio.sleep(_FORGE_EVERY_S)

    def _refused(self) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for adapter in self._adapters.values():
            total += adapter.refused
            adapter.refused.clear()
        return total

    async def _room(self, traffic: LaneTraffic, limit: int) -> None:
        """At most *limit* packets of the lane are under way."""
        while traffic.under_way > max(limit, 0):
            traffic.moved.clear()
            await traffic.moved.wait()

    async def _watch(self, lanes: Sequence[asyncio.Task[None]], limit: int) -> None:
        """All *lanes* have ended within *limit* (s), while every session lives."""
        everything: asyncio.Future[Any] = asyncio.gather(*lanes)
        waited: list[asyncio.Future[Any]] = [everything, *self._tasks]
        await asyncio.wait(waited, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if everything.done():
            await everything
            return
        everything.cancel()
        await asyncio.gather(everything, return_exceptions=True)
        for task in self._tasks:
            if task.done():
                await task
                raise ConnectionError("a session ended")
        missing = sum([traffic.under_way for traffic in self._lanes.values()])
        failures = [text for adapter in self._adapters.values() for text in adapter.failures]
        raise TimeoutError(f"{missing} packets did not come back in {limit} s: {failures[:5]}")
