"""Streams between simulated processes: delayed, cut, half open, or silent for a while.

A stream keeps its order, as TCP does. What goes wrong is a delay of its own for each frame, a cut
that both sides hear of at different times, a side that hears of none, and a link that carries
nothing for a while: frames that were on their way come late, or never, and then the stream is cut.
Every frame is serialised and read anew, so no two processes share an object.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from ydhub.relay.v1 import relay_pb2 as pb

from tests.simulation.loop import SECOND, Process, current

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from google.protobuf.message import Message

    from tests.simulation.loop import SimLoop
    from tests.simulation.trace import Trace

MILLISECOND = SECOND // 1000
LOST_AFTER = 12 * SECOND
"""What a silent link held back for that long is lost, and the stream with it."""
WINDOW = 64
"""Frames that nobody has read, after which a write waits."""


@dataclass
class Weather:
    """How the network is now."""

    longest: int = 3 * MILLISECOND
    """The longest delay of a frame (ns)."""
    silent: set[tuple[str, str]] = field(default_factory=set)
    """(adapter's city, relayer's name) between which nothing passes."""
    deaf: set[tuple[str, str]] = field(default_factory=set)
    """(from, to), names of both: only this way passes nothing."""


class Pipe:
    """One direction of one stream."""

    def __init__(self, network: Network, ends: tuple[str, str], kind: type[Message]) -> None:
        self._network = network
        self._ends = ends
        self._kind = kind
        self.frames: deque[Message] = deque()
        self.reader: Process | None = None
        self.is_over = False
        self._arrival = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._last = 0
        self._held: deque[tuple[int, bytes]] = deque()

    async def write(self, frame: Message) -> None:
        """*frame* is on its way; waits while the other side reads too little."""
        network, loop = self._network, self._network.loop
        await self._room.wait()
        network.tap(self._ends, frame)
        data = frame.SerializeToString(deterministic=True)
        if network.is_silent(self._ends):
            self._held.append((loop.now, data))
            if len(self._held) >= WINDOW:
                self._room.clear()
            return
        self._send(data)

    def flush(self) -> bool:
        """What was held back comes now; whether none of it waited too long."""
        now = self._network.loop.now
        if self._held and now - self._held[0][0] >= LOST_AFTER:
            self._held.clear()
            return False
        while self._held:
            self._send(self._held.popleft()[1])
        self._room.set()
        return True

    async def read(self) -> Message | None:
        """The next frame; None once the stream is over for this side."""
        while not self.frames:
            if self.is_over:
                return None
            self._arrival.clear()
            await self._arrival.wait()
        if len(self.frames) < WINDOW:
            self._room.set()
        return self.frames.popleft()

    def end(self) -> None:
        """The reader finds the end; whoever waits to write goes on."""
        self.is_over = True
        self._arrival.set()
        self._room.set()

    def _send(self, data: bytes) -> None:
        network, loop = self._network, self._network.loop
        delay = network.chance.randrange(1, network.weather.longest + 1)
        self._last = max(self._last + 1, loop.now + delay)
        assert self.reader is not None
        loop.call_at_ns(self._last, self._arrive, data, context=self.reader.context)

    def _arrive(self, data: bytes) -> None:
        if self.is_over:
            return
        frame = self._kind.FromString(data)
        self.frames.append(frame)
        self._arrival.set()
        if len(self.frames) >= WINDOW:
            self._room.clear()
        body = frame.WhichOneof("body")
        if body != "heartbeat":
            self._network.trace.note(
                self._network.loop.now, self._ends[1], f"<- {self._ends[0]} {body} {len(data)}"
            )


class Wire:
    """One stream between an adapter's process and a relayer's."""

    def __init__(self, network: Network, city: str, relayer: str, client: Process) -> None:
        self.city, self.relayer = city, relayer
        self.network = network
        self.up = Pipe(network, (city, relayer), pb.AdapterFrame)
        self.down = Pipe(network, (relayer, city), pb.RelayerFrame)
        self.down.reader = client
        self.status: tuple[grpc.StatusCode, str, Any] | None = None
        self._ended = asyncio.Event()
        self._is_serving = True
        self.on_hang_up: Callable[[], object] = lambda: None

    async def ended(self) -> None:
        """The adapter's side knows that it is over."""
        await self._ended.wait()

    def finish(self, code: grpc.StatusCode, details: str, trailing: Any) -> None:
        """The relayer ends the stream; its frames arrive before that."""
        if self._is_serving:
            self._is_serving = False
            self.up.end()
            network = self.network
            delay = network.chance.randrange(1, 2 * network.weather.longest)
            due = max(network.loop.now + delay, self.down._last + 1)
            assert self.down.reader is not None
            network.loop.call_at_ns(
                due, self._finished, code, details, trailing, context=self.down.reader.context
            )

    def _finished(self, code: grpc.StatusCode, details: str, trailing: Any) -> None:
        if not self.network.is_silent(self.down._ends):
            self.close(code, details, trailing)

    def close(self, code: grpc.StatusCode, details: str = "", trailing: Any = ()) -> None:
        """The adapter's side is over."""
        if self.status is None:
            self.status = (code, details, trailing)
            self._ended.set()
            self.down.end()

    def hang_up(self) -> None:
        """The relayer's side is over: the adapter is gone, or the network says so."""
        self._is_serving = False
        self.up.end()
        self.network.wires.pop(self, None)
        self.on_hang_up()

    def cut(self, *, half: bool) -> None:
        """The stream breaks; with *half* the relayer does not hear of it."""
        self.close(grpc.StatusCode.UNAVAILABLE, "the stream was cut")
        if not half:
            assert self.up.reader is not None
            self.network.loop.after(self.up.reader, MILLISECOND, self.hang_up)


class Network:
    """Who can be dialled, and every stream that stands."""

    def __init__(self, loop: SimLoop, chance: Random, trace: Trace) -> None:
        self.loop = loop
        self.chance = chance
        self.trace = trace
        self.weather = Weather()
        self.tap: Callable[[tuple[str, str], Any], None] = lambda *_: None
        """Told of every frame that is written: by whom to whom."""
        self.wires: dict[Wire, None] = {}
        self.listeners: dict[str, tuple[Process, Callable[[Wire], None]]] = {}
        """By address, which is the relayer's name with a port."""

    def is_silent(self, ends: tuple[str, str]) -> bool:
        """Whether nothing passes that way now."""
        weather = self.weather
        return ends in weather.deaf or ends in weather.silent or ends[::-1] in weather.silent

    def dial(self, city: str, address: str) -> Wire | None:
        """A stream of *city*'s adapter to who listens at *address*; None if nobody answers."""
        relayer = address.partition(":")[0]
        found = self.listeners.get(address)
        if found is None or self.is_silent((city, relayer)) or self.is_silent((relayer, city)):
            return None
        process, accept = found
        if process.is_paused:
            return None
        wire = Wire(self, city, relayer, current())
        wire.up.reader = process
        self.wires[wire] = None
        delay = self.chance.randrange(1, self.weather.longest + 1)
        self.loop.after(process, delay, accept, wire)
        return wire

    def leave(self, wire: Wire) -> None:
        """The adapter has closed its side."""
        reader = wire.up.reader
        if wire in self.wires and reader is not None:
            delay = self.chance.randrange(1, self.weather.longest + 1)
            self.loop.call_at_ns(
                max(self.loop.now + delay, wire.up._last + 1), wire.hang_up, context=reader.context
            )

    def heal(self) -> None:
        """Everything passes again; what waited too long is cut."""
        self.weather = Weather()
        for wire in list(self.wires):
            if not (wire.up.flush() and wire.down.flush()):
                wire.cut(half=False)

    def drop(self, process: Process) -> None:
        """*process* has died: who talked to it hears of it, sooner or later."""
        for wire in list(self.wires):
            if wire.up.reader is process:
                wire._is_serving = False
                del self.wires[wire]
                reader = wire.down.reader
                assert reader is not None
                delay = self.chance.randrange(1, 20 * MILLISECOND)
                self.loop.after(reader, delay, wire.close, grpc.StatusCode.UNAVAILABLE, "died")
            elif wire.down.reader is process:
                reader = wire.up.reader
                assert reader is not None
                delay = self.chance.randrange(1, 20 * MILLISECOND)
                self.loop.after(reader, delay, wire.hang_up)
