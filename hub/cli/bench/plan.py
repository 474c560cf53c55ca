"""What is sent when: peers, lanes, and the packets of every phase, fixed before anything starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from hub.cli.bench.options import Proofs
from hub.core.ids import ClientId, PeerId
from hub.core.lane import LaneKey, Order
from hub.core.time import MILLISECOND, SECOND

if TYPE_CHECKING:
    from hub.cli.bench.options import Options

WARM_UP: Final = 8
"""Full frames of each lane before anything is measured."""
WARM_UP_PACKETS: Final = 100_000
"""Most packets of it over all lanes."""
IDLE_PAUSE: Final = 10 * MILLISECOND
"""Between the end of one lonely packet and the next."""
PORT: Final = "transfer"


class Kind(StrEnum):
    """What a phase is for."""

    WARM_UP = "warm-up"
    IDLE = "idle"
    OPEN = "open loop"
    CLOSED = "closed loop"
    SLICE = "slice"
    """Of a soak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLoad:
    """What one lane carries in one phase."""

    lane: int
    """Its place among the lanes that carry packets."""
    first: int
    packets: int
    frame: int
    """Packets of a frame; the last one has what is left."""
    interval: int = 0
    """Nanoseconds from frame to frame; 0 sends as fast as the window lets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the run that is measured on its own."""

    name: str
    kind: Kind
    loads: tuple[LaneLoad, ...]
    chunk: int = 0
    """Which part of the load it belongs to: each part is built, sent and forgotten as one."""
    window: int = 0
    """Packets of one lane under way where no interval is set."""
    pause: int = 0
    """Nanoseconds to wait before a frame where no interval is set."""
    rate: int = 0
    """Packets a second that are offered; 0 in closed loop."""
    forged: int = 0
    """Frames a second with a false proof that the source of the first lane sends besides."""

    @property
    def packets(self) -> int:
        """Packets over all lanes."""
        return sum([load.packets for load in self.loads])


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPair:
    """Two chain clients that are each other's counterparty, with the same native id."""

    client: ClientId
    left: PeerId
    right: PeerId

    @property
    def lanes(self) -> tuple[LaneKey, LaneKey]:
        """The lanes of both directions."""
        there = LaneKey(self.left, self.client, self.right, self.client)
        return there, there.reverse


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a run sends."""

    peers: tuple[PeerId, ...]
    pairs: tuple[ClientPair, ...]
    lanes: tuple[LaneKey, ...]
    """Those that carry packets."""
    phases: tuple[Phase, ...]
    payload: int
    """Bytes of a packet's payload."""
    keys: int
    """Keys in each chain's store."""
    order: Order = Order.UNORDERED
    past: int = 0
    """Packets that each lane has carried before."""
    rest: int = 0
    """Seconds after the warm-up in which nothing is sent."""

    @property
    def packets(self) -> int:
        """Packets of all phases."""
        return sum([phase.packets for phase in self.phases])

    def due(self, number: int) -> dict[str, int]:
        """By lane's name: packets complete at the end of the phase of that number."""
        due = [self.past] * len(self.lanes)
        for phase in self.phases[: number + 1]:
            for load in phase.loads:
                due[load.lane] += load.packets
        return {lane.name: count for lane, count in zip(self.lanes, due, strict=True)}

    def workload(self) -> dict[str, Any]:
        """As the generator is told it; see adapters/bench/workload.py."""
        places = {lane: at for at, lane in enumerate(self._all_lanes())}
        return {
            "peers": list(self.peers),
            "pairs": [asdict(pair) for pair in self.pairs],
            "active": [places[lane] for lane in self.lanes],
            "phases": [
                {
                    "name": phase.name,
                    "loads": [asdict(load) for load in phase.loads],
                    "chunk": phase.chunk,
                    "window": phase.window,
                    "pause": phase.pause,
                    "forged": phase.forged,
                }
                for phase in self.phases
            ],
            "payload": self.payload,
            "keys": self.keys,
            "enforced": self.order is Order.ENFORCED,
        }

    def _all_lanes(self) -> list[LaneKey]:
        return [lane for pair in self.pairs for lane in pair.lanes]


def make_plan(options: Options) -> Plan:
    """The plan of a run with *options*."""
    peers = tuple([PeerId(f"city-{number}") for number in range(1, options.peers + 1)])
    pairs = tuple(
        [
            ClientPair(
                client=ClientId(f"07-tendermint-{number}"),
                left=peers[number % len(peers)],
                right=peers[(number + 1) % len(peers)],
            )
            for number in range((options.lanes + 1) // 2)
        ]
    )
    lanes = tuple([lane for pair in pairs for lane in pair.lanes])[: options.carrying]
    past = -(-options.behind // len(lanes))
    return Plan(
        peers=peers,
        pairs=pairs,
        lanes=lanes,
        phases=tuple(_Phases(options, len(lanes), past).all()),
        payload=options.payload,
        keys=options.keys,
        order=options.order,
        past=past,
        rest=options.rest,
    )


class _Phases:
    """Hands out sequences, lane by lane, in the order of the phases."""

    def __init__(self, options: Options, lanes: int, past: int) -> None:
        self._options = options
        self._next = [past + 1] * lanes

    def all(self) -> list[Phase]:
        options = self._options
        most = min(WARM_UP * options.batch * len(self._next), WARM_UP_PACKETS)
        phases = [self._closed("warm-up", max(most, len(self._next)), Kind.WARM_UP)]
        if options.idle:
            phases.append(self._idle())
        if options.minutes:
            return phases + self._slices()
        phases += [self._open(f"{rate}/s", rate, options.seconds) for rate in options.rates]
        numbers = range(1, options.rounds + 1)
        return phases + [self._closed(f"round {number}", options.packets) for number in numbers]

    def _idle(self) -> Phase:
        load = self._load(0, self._options.idle, 1)
        return Phase(name="idle", kind=Kind.IDLE, loads=(load,), window=1, pause=IDLE_PAUSE)

    def _slices(self) -> list[Phase]:
        """One part of the load each: the next one is built while one is sent."""
        rate, seconds = self._options.rates[0], self._options.slice_seconds
        return [
            self._open(f"slice {number}", rate, seconds, kind=Kind.SLICE, chunk=number)
            for number in range(1, self._options.minutes + 1)
        ]

    def _open(
        self, name: str, rate: int, seconds: int, *, kind: Kind = Kind.OPEN, chunk: int = 0
    ) -> Phase:
        """Every lane sends one frame an interval, with its share of the packets."""
        lanes = len(self._next)
        share = max(1, round(rate * self._options.interval / 1000 / lanes))
        loads = []
        for lane in range(lanes):
            count = min(share, self._frame(lane))
            interval = count * lanes * SECOND // rate
            total = count * max(1, seconds * SECOND // interval)
            loads.append(self._load(lane, total, count, interval))
        return Phase(name=name, kind=kind, loads=tuple(loads), rate=rate, chunk=chunk)

    def _closed(self, name: str, packets: int, kind: Kind = Kind.CLOSED) -> Phase:
        lanes = len(self._next)
        share = -(-packets // lanes)
        loads = [self._load(lane, share, self._frame(lane)) for lane in range(lanes)]
        return Phase(name=name, kind=kind, loads=tuple(loads), window=self._options.window)

    def _frame(self, lane: int) -> int:
        """Most packets of a frame of the lane."""
        proofs = self._options.proofs
        is_single = proofs is Proofs.SINGLE or (proofs is Proofs.MIXED and lane % 2 == 1)
        return 1 if is_single else self._options.batch

    def _load(self, lane: int, packets: int, frame: int, interval: int = 0) -> LaneLoad:
        first = self._next[lane]
        self._next[lane] += packets
        return LaneLoad(lane=lane, first=first, packets=packets, frame=frame, interval=interval)
