"""One city's side of the relayer's stream: what a light adapter over a ready-made chain answers.

It executes whatever it is handed: a packet is received and acknowledged at once, an acknowledgement
completes. So its own cost is small, and the relayer and its registry are what is measured.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

from ydhub.client.v1 import client_pb2
from ydhub.packet.v1 import packet_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.bench import clock
from adapters.bench.workload import chain_id
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.time import SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adapters.bench.headers import Headers
    from adapters.bench.load import ChainLoad
    from adapters.bench.stream import Stream
    from adapters.bench.traffic import Frame, LaneTraffic
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey

_TRUSTED: Final = 16
"""Newest heights that a report names."""
_BEAT_S: Final = 1


class Adapter:
    """The adapter of one peer."""

    def __init__(
        self,
        load: ChainLoad,
        headers: Headers,
        lanes: Mapping[LaneKey, LaneTraffic],
        stream: Stream,
    ) -> None:
        """An adapter over *load*; *lanes* are all lanes that carry packets, by key."""
        self._load = load
        self._next = load
        self._headers = headers
        self._by_name = {key.name: traffic for key, traffic in lanes.items()}
        self._stream = stream
        self._trusted: dict[str, list[int]] = {client: [1] for client in load.clients}
        self._height = 0
        self._advanced = asyncio.Event()
        self.failures: list[str] = []
        """What must not happen: refused frames, requests that cannot be answered."""
        self.is_lying = False
        """From now on it sends no true packets, and frames are refused as they should be."""
        self.refused: Counter[str] = Counter()
        """Its lies, by the reason why they were refused."""

    @property
    def peer(self) -> PeerId:
        """Whose adapter it is."""
        return self._load.peer

    async def attach(self, *, enforced: bool = False) -> None:
        """The session stands, and the hub's client has every header up to now."""
        welcome = await self._stream.attach(chain_id(self.peer), enforced=enforced)
        if welcome.client_height == 0:
            self._send_headers([welcome.anchor_height])
        self._advance()

    async def turn(self, load: ChainLoad) -> None:
        """The chain's store is that of another part of the run, and a header says so."""
        self._headers.root, self._next = load.root, load
        self._advanced.clear()
        await self._advanced.wait()

    def send(self, frame: Frame) -> None:
        """*frame* leaves the source's chain."""
        self._stream.send_packets((frame.batch, frame.count, frame.chunk))

    def send_forged(self, batch: bytes) -> None:
        """A frame of one packet leaves whose proof is false."""
        self.is_lying = True
        self._stream.send_packets((batch, 1, self._load.chunk))

    async def run(self) -> None:
        """Answers, beats and makes blocks until the stream is over."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream.run())
            tasks.create_task(self._beat())
            tasks.create_task(self._make_blocks())
            tasks.create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            frame = await self._stream.receive()
            match frame.WhichOneof("body"):
                case "verdict":
                    self._judged(frame.verdict)
                case "execution":
                    self._execute(frame.execution)
                case "request":
                    self._answer(frame.request)
                case _:
                    continue

    def _judged(self, verdict: pb.Verdict) -> None:
        self._stream.answered(verdict.frame_id)
        for refused in verdict.refused:
            if self.is_lying:
                self.refused[refused.reason] += 1
                continue
            self._fail(f"refused {refused.sequence}: {refused.reason}: {refused.detail}")

    def _execute(self, execution: pb.Execution) -> None:
        arrived = clock.monotonic()
        report = pb.ExecutionReport(execution_id=execution.execution_id)
        match execution.WhichOneof("action"):
            case "receive":
                height = execution.receive.proof_height.number
                self._receive(execution, report)
            case "acknowledge":
                height = execution.acknowledge.proof_height.number
                self._complete(execution, report, arrived)
            case other:
                height = 0
                if other is not None:
                    self._fail(f"was asked to execute {other}")
        self._trust(execution, height, report)
        self._stream.send(pb.AdapterFrame(report=report))

    def _receive(self, execution: pb.Execution, report: pb.ExecutionReport) -> None:
        traffic = self._by_name[execution.lane]
        for frame, sequences in _by_frame(traffic, execution.receive.packets):
            again = frame.received.issuperset(sequences)
            traffic.resent += len(sequences) if again else 0
            frame.received.update(sequences)
            done = report.already_done if again else report.executed
            done.extend(_ranges(sequences))
            if len(frame.received) == frame.count:
                self._stream.send_acknowledgements((frame.reply, frame.count, frame.chunk))

    def _complete(self, execution: pb.Execution, report: pb.ExecutionReport, arrived: int) -> None:
        traffic = self._by_name[execution.lane]
        for frame, sequences in _by_frame(traffic, execution.acknowledge.packets):
            traffic.acknowledged(frame, sequences, arrived)
            report.executed.extend(_ranges(sequences))

    def _trust(self, execution: pb.Execution, height: int, report: pb.ExecutionReport) -> None:
        """The chain's client has made the execution's updates."""
        trusted = self._trusted[execution.client]
        if execution.updates and height not in trusted:
            trusted.append(height)
            trusted.sort()
            del trusted[:-_TRUSTED]
        report.trusted_heights.extend([client_pb2.Height(revision=1, number=h) for h in trusted])

    def _answer(self, request: pb.Request) -> None:
        answer = pb.Answer(request_id=request.request_id)
        match request.WhichOneof("body"):
            case "headers":
                answer.headers.CopyFrom(self._headers.batch(request.headers.heights))
            case "client" if request.client.client in self._load.clients:
                answer.clients.CopyFrom(self._mirrors(request.client.client))
            case other:
                answer.refusal.reason = "CHAIN_UNREACHABLE"
                answer.refusal.detail = f"{other} is not built beforehand"
                # Very many small frames would go under one fresh proof; so each goes under its own.
                if other != "proofs":
                    self._fail(f"was asked for {other}: {str(request)[:200]}")
        self._stream.send(pb.AdapterFrame(answer=answer))

    def _mirrors(self, client: str) -> pb.ClientAnswer:
        mirror = pb.ClientMirror.FromString(self._load.clients[ClientId(client)])
        mirror.proof_height.CopyFrom(client_pb2.Height(revision=1, number=self._height))
        del mirror.trusted_heights[:]
        mirror.trusted_heights.extend(
            [client_pb2.Height(revision=1, number=height) for height in self._trusted[client]]
        )
        return pb.ClientAnswer(clients=[mirror])

    async def _beat(self) -> None:
        while True:
            self._stream.send(pb.AdapterFrame(heartbeat=pb.Heartbeat()))
            await asyncio.sleep(_BEAT_S)

    async def _make_blocks(self) -> None:
        while True:
            self._advance()
            await asyncio.sleep(self._headers.until_next(clock.now()) / SECOND)

    def _advance(self) -> None:
        """The newest header whose time has come is sent, and is what proofs end at."""
        self._headers.advance(clock.now())
        if self._headers.height > self._height:
            self._height, self._load = self._headers.height, self._next
            self._send_headers([self._height])
            self._stream.at(self._load.chunk, Height(1, self._height))
            self._advanced.set()

    def _send_headers(self, heights: Sequence[int]) -> None:
        self._stream.send(pb.AdapterFrame(headers=self._headers.batch(heights)))

    def _fail(self, text: str) -> None:
        self.failures.append(f"{self.peer}: {text}")


def _by_frame(traffic: LaneTraffic, packets: Sequence[bytes]) -> list[tuple[Frame, Sequence[int]]]:
    """The sequences of *packets*, by the frame in which they were sent."""
    first, last = _sequence(packets[0]), _sequence(packets[-1])
    frame = traffic.frame_of(first)
    if last - first + 1 == len(packets) and last < frame.end:
        return [(frame, range(first, last + 1))]
    found: dict[Frame, list[int]] = {}
    for packet in packets:
        sequence = _sequence(packet)
        found.setdefault(traffic.frame_of(sequence), []).append(sequence)
    return list(found.items())


def _sequence(packet: bytes) -> int:
    return packet_pb2.Packet.FromString(packet).sequence


def _ranges(sequences: Sequence[int]) -> list[pb.SequenceRange]:
    if isinstance(sequences, range):
        return [pb.SequenceRange(first=sequences[0], last=sequences[-1])]
    return [pb.SequenceRange(first=sequence, last=sequence) for sequence in sequences]
