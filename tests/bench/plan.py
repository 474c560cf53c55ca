"""What is sent when: peers, lanes, and the frames of every phase, fixed before anything starts.

So all packets, trees and proofs can be built beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.core.ids import ChainId, ClientId, PeerId
from hub.core.lane import LaneKey
from hub.core.time import MILLISECOND, SECOND

if TYPE_CHECKING:
    from tests.bench.options import Options

WARM_UP: Final = 8
"""Full frames of each lane before anything is measured."""
IDLE_PAUSE: Final = 10 * MILLISECOND
"""Between the end of one lonely packet and the next."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A frame: the packets of the sequences from *first* on."""

    first: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A part of the run that is measured on its own."""

    name: str
    slots: tuple[tuple[Slot, ...], ...]
    """For each lane, in order."""
    interval: int = 0
    """Nanoseconds between the frames of one lane; 0 sends as fast as the window lets."""
    window: int
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
        return sum(slot.count for slots in self.slots for slot in slots)


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

    @property
    def seconds(self) -> int:
        """How long the headers last, set-up and slow machines included."""
        return 600 + 10 * sum(self._span(phase) for phase in self.phases) // SECOND

    @staticmethod
    def _span(phase: Phase) -> int:
        return phase.interval * max(map(len, phase.slots))


def chain_id(peer: PeerId) -> ChainId:
    """The id of the peer's chain."""
    return ChainId(f"{peer}-1")


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
            for number in range((options.lanes + options.quiet + 1) // 2)
        ]
    )
    lanes = tuple([lane for pair in pairs for lane in pair.lanes])[: options.lanes]
    return Plan(
        peers=peers,
        pairs=pairs,
        lanes=lanes,
        phases=_Phases(options, len(lanes)).all(),
        payload=options.payload,
        keys=options.keys,
    )


class _Phases:
    """Hands out sequences, lane by lane, in the order of the phases."""

    def __init__(self, options: Options, lanes: int) -> None:
        self._options = options
        self._next = [1] * lanes

    def all(self) -> tuple[Phase, ...]:
        options = self._options
        return (
            self._closed("warm-up", WARM_UP * options.batch * len(self._next)),
            self._idle(),
            *[self._open(rate) for rate in options.rates],
            *[
                self._closed(f"round {number}", options.packets)
                for number in range(1, options.rounds + 1)
            ],
        )

    def _idle(self) -> Phase:
        slots = self._slots(0, self._options.idle, 1)
        others = ((),) * (len(self._next) - 1)
        return Phase(name="idle", slots=(slots, *others), window=1, pause=IDLE_PAUSE)

    def _open(self, rate: int) -> Phase:
        """Every lane sends one frame an interval, with its share of the packets."""
        lanes = len(self._next)
        share = max(1, round(rate * self._options.interval / 1000 / lanes))
        count = min(share, self._options.batch)
        interval = count * lanes * SECOND // rate
        total = count * (self._options.seconds * SECOND // interval)
        slots = tuple([self._slots(lane, total, count) for lane in range(lanes)])
        return Phase(name=f"{rate}/s", slots=slots, interval=interval, window=0, rate=rate)

    def _closed(self, name: str, packets: int) -> Phase:
        options, lanes = self._options, len(self._next)
        share = -(-packets // lanes)
        slots = tuple([self._slots(lane, share, options.batch) for lane in range(lanes)])
        return Phase(name=name, slots=slots, window=options.window)

    def _slots(self, lane: int, total: int, count: int) -> tuple[Slot, ...]:
        first = self._next[lane]
        self._next[lane] = first + total
        end = first + total
        return tuple([Slot(at, min(count, end - at)) for at in range(first, end, count)])
