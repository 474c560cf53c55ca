"""All cities of a run: builds what their chains send, attaches every adapter, runs the phases."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.json_format import MessageToDict
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.bench import clock, micro
from adapters.bench.adapter import Adapter
from adapters.bench.headers import Headers
from adapters.bench.load import build
from adapters.bench.messages import Built, Measured, Ran
from adapters.bench.stream import Stream
from adapters.bench.traffic import Frame, LaneTraffic
from adapters.simchain.misbehave import forge_batch
from hub.core.time import MILLISECOND, SECOND, Timestamp
from hub.wire.anchors import anchor_to_proto

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adapters.bench.load import ChainLoad
    from adapters.bench.messages import Attach
    from adapters.bench.workload import LaneLoad, Phase, Workload
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey

BUILDERS: Final = 2
"""Processes that build; a chain is always built by the same one."""
_TIMEOUT_AFTER_S: Final = 7 * 86_400
_SLACK_S: Final = 60
_FORGE_EVERY_S: Final = 0.01
_SLOWEST: Final = 100
"""Packets a second that a phase must at least make."""
_FEW: Final = 64
"""Lanes whose latencies are told one by one."""


class Generator:
    """All cities of a run."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._keys = workload.lanes
        self._timeout = clock.now() // SECOND + _TIMEOUT_AFTER_S
        self._headers: dict[PeerId, Headers] = {}
        self._lanes: dict[LaneKey, LaneTraffic] = {lane: LaneTraffic(lane) for lane in self._keys}
        self._loads: Sequence[ChainLoad] = ()
        self._next: asyncio.Task[Sequence[ChainLoad]] | None = None
        self._chunk = 0
        self._streams: list[Stream] = []
        self._adapters: dict[PeerId, Adapter] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._late = 0
        self._pools = [
            ProcessPoolExecutor(1, get_context("spawn")) for _ in workload.peers[:BUILDERS]
        ]

    async def build(self) -> Built:
        """The first part is built, and the chains have their first headers."""
        began = clock.monotonic()
        self._loads = await self._build(0)
        first_at = Timestamp(clock.now() - SECOND)
        for load in self._loads:
            self._headers[load.peer] = Headers(load.peer, load.root, first_at)
        self._add_frames()
        self._build_next()
        gc.collect()
        gc.freeze()  # what is to be sent lives until it is; looking at it again would cost time
        return Built(
            anchors={
                peer: MessageToDict(anchor_to_proto(headers.anchor))
                for peer, headers in self._headers.items()
            },
            packet_bytes=max([load.packet_bytes for load in self._loads]),
            build_ms=(clock.monotonic() - began) // MILLISECOND,
        )

    def measure(self) -> Measured:
        """What single functions cost. Raises ``LookupError`` where the load has no samples."""
        samples = next((load.samples for load in self._loads if load.samples), None)
        if samples is None:
            raise LookupError("no chain sends anything")
        return Measured(functions_us=micro.measure(samples))

    async def attach(self, command: Attach) -> None:
        """Every adapter has its session."""
        for load in self._loads:
            stream = Stream(command.addresses[load.peer], command.files[load.peer])
            self._streams.append(stream)
            adapter = Adapter(load, self._headers[load.peer], self._lanes, stream)
            await adapter.attach(enforced=self._workload.enforced)
            self._adapters[load.peer] = adapter
            self._tasks.append(asyncio.create_task(adapter.run()))

    async def run(self, number: int) -> Ran:
        """The phase is over: every packet of it is acknowledged. Raises where it cannot be."""
        phase, asked_at = self._workload.phases[number], clock.monotonic()
        if phase.chunk != self._chunk:
            await self._turn(phase.chunk)
        for traffic in self._lanes.values():
            traffic.start()
        self._late = 0
        limit = _SLACK_S + phase.packets // _SLOWEST + phase.span // SECOND
        began_at = clock.monotonic()
        lanes = [
            asyncio.create_task(self._drive(phase, load, place))
            for place, load in enumerate(phase.loads)
        ]
        forging = asyncio.create_task(self._forge(phase.forged))
        await self._watch(lanes, limit)
        forging.cancel()
        acknowledged_at = clock.monotonic()
        failures = [text for adapter in self._adapters.values() for text in adapter.failures]
        if failures:
            raise RuntimeError(f"{len(failures)} failures: " + "; ".join(failures[:5]))
        return self._ran(asked_at, began_at, acknowledged_at)

    async def close(self) -> None:
        """Nothing of it runs any more."""
        pending = [*self._tasks, *([self._next] if self._next is not None else [])]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for stream in self._streams:
            await stream.close()
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)

    def _ran(self, asked_at: int, began_at: int, acknowledged_at: int) -> Ran:
        total: Counter[int] = Counter()
        for traffic in self._lanes.values():
            total.update(traffic.latencies.counts)
        few = self._lanes.values() if len(self._lanes) <= _FEW else ()
        return Ran(
            began_at=began_at,
            acknowledged_at=acknowledged_at,
            latencies=sorted(total.items()),
            by_lane=[traffic.latencies.entries for traffic in few],
            refused=dict(self._refused()),
            resent=sum([traffic.resent for traffic in self._lanes.values()]),
            waited_ms=(began_at - asked_at) // MILLISECOND,
            late_ms=self._late / MILLISECOND,
        )

    async def _build(self, chunk: int) -> Sequence[ChainLoad]:
        loop, workload = asyncio.get_running_loop(), self._workload
        return await asyncio.gather(
            *[
                loop.run_in_executor(
                    self._pools[at % len(self._pools)], build, workload, peer, self._timeout, chunk
                )
                for at, peer in enumerate(workload.peers)
            ]
        )

    def _build_next(self) -> None:
        """The next part is being built, if there is one; no builder is left where there is none."""
        following = self._chunk + 1
        if following < self._workload.chunks:
            self._next = asyncio.create_task(self._build(following))
            return
        self._next = None
        for pool in self._pools:
            pool.shutdown(wait=False)

    async def _turn(self, chunk: int) -> None:
        """The next part is what is sent from now on; a header of each chain says so."""
        if self._next is None or chunk != self._chunk + 1:
            raise RuntimeError(f"part {chunk} does not follow {self._chunk}")
        self._loads, self._chunk = await self._next, chunk
        for traffic in self._lanes.values():
            traffic.forget(chunk - 1)
        self._add_frames()
        self._build_next()
        async with asyncio.TaskGroup() as turning:
            for load in self._loads:
                turning.create_task(self._adapters[load.peer].turn(load))

    def _add_frames(self) -> None:
        """The frames of the part that was built."""
        by_peer = {load.peer: load for load in self._loads}
        slots: dict[int, list[Any]] = {}
        for phase in self._workload.phases:
            for lane_load in phase.loads if phase.chunk == self._chunk else ():
                slots.setdefault(lane_load.lane, []).extend(lane_load.slots)
        for at, found in slots.items():
            lane = self._keys[at]
            batches = by_peer[lane.source_peer].packets[at]
            replies = by_peer[lane.destination_peer].acknowledgements[at]
            self._lanes[lane].extend(
                [
                    Frame(slot, batch, reply, self._chunk)
                    for slot, batch, reply in zip(found, batches, replies, strict=True)
                ]
            )

    async def _drive(self, phase: Phase, load: LaneLoad, place: int) -> None:
        """One lane's frames of the phase leave when they are due, and come back."""
        traffic = self._lanes[self._keys[load.lane]]
        source = self._adapters[traffic.lane.source_peer]
        # Lanes take turns within an interval, as cities would not send all at once.
        start = clock.monotonic() + load.interval * place // len(phase.loads)
        for number, frame in enumerate(traffic.frames_from(load.first, load.frames)):
            if load.interval:
                due_at = start + number * load.interval
                await asyncio.sleep(max(0, due_at - clock.monotonic()) / SECOND)
                self._late = max(self._late, clock.monotonic() - due_at)
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
        traffic = self._lanes[self._keys[0]]
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
