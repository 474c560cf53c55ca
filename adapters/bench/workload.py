"""What a run sends, as its orchestrator tells it: one JSON document, typed, unknown keys refused.

Nothing of it depends on time or chance, so everything can be built before anything is sent.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from hub.core.ids import ChainId, ClientId, PeerId
from hub.core.lane import LaneKey

MAX_FRAME: Final = 256

Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]


class Slot(msgspec.Struct, frozen=True):
    """A frame: the packets of the sequences from *first* on."""

    first: int
    count: int


class Pair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two chain clients that are each other's counterparty, with the same native id."""

    client: ClientId
    left: PeerId
    right: PeerId

    @property
    def lanes(self) -> tuple[LaneKey, LaneKey]:
        """The lanes of both directions."""
        there = LaneKey(self.left, self.client, self.right, self.client)
        return there, there.reverse


class LaneLoad(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one lane carries in one phase."""

    lane: Count
    """Its place among the lanes that carry packets."""
    first: Positive
    """The first sequence."""
    packets: Count
    frame: Annotated[int, Meta(ge=1, le=MAX_FRAME)]
    """Packets of a frame; the last one has what is left."""
    interval: Count = 0
    """Nanoseconds from frame to frame; 0 sends as fast as the phase's window lets."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Its frames, in order."""
        end = self.first + self.packets
        starts = range(self.first, end, self.frame)
        return tuple([Slot(at, min(self.frame, end - at)) for at in starts])

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return -(-self.packets // self.frame)


class Phase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the run that is measured on its own."""

    name: str
    loads: tuple[LaneLoad, ...]
    chunk: Count = 0
    """Which part of the load it belongs to: each part is built, sent and forgotten as one."""
    window: Count = 0
    """Packets of one lane under way where no interval is set."""
    pause: Count = 0
    """Nanoseconds to wait before a frame where no interval is set."""
    forged: Count = 0
    """Frames a second with a false proof that the source of the first lane sends besides."""

    @property
    def packets(self) -> int:
        """Packets over all lanes."""
        return sum([load.packets for load in self.loads])

    @property
    def span(self) -> int:
        """Nanoseconds from the first frame of a lane to after its last, where intervals are set."""
        return max([load.interval * load.frames for load in self.loads], default=0)


class Workload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a run sends."""

    peers: tuple[PeerId, ...]
    pairs: tuple[Pair, ...]
    active: tuple[Count, ...]
    """Lanes that carry packets, by their place among those of all pairs, two of each."""
    phases: tuple[Phase, ...]
    payload: Count
    """Bytes of a packet's payload."""
    keys: Count
    """Keys in each chain's store."""
    enforced: bool = False
    """Whether the chains' gateways say that they keep order."""

    @property
    def lanes(self) -> tuple[LaneKey, ...]:
        """Those that carry packets. Raises ``IndexError`` where there is no such lane."""
        return tuple([self.pairs[at // 2].lanes[at % 2] for at in self.active])

    @property
    def chunks(self) -> int:
        """Parts of the load."""
        return 1 + max([phase.chunk for phase in self.phases], default=0)


def chain_id(peer: PeerId) -> ChainId:
    """The id of the peer's chain."""
    return ChainId(f"{peer}-1")
