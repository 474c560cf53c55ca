"""Where a packet stands, as it follows from the facts that are recorded of it.

Nothing here is stored: a packet's state is folded from its outcome, the reports of both adapters
and its denial, by the legal moves of lifecycle.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.lifecycle import PacketEvent, PacketState, move
from hub.core.record import OutcomeKind

if TYPE_CHECKING:
    from hub.core.client import Header
    from hub.core.height import Height
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey
    from hub.core.record import PacketException, StoredOutcome, StoredPacket
    from hub.core.time import Timestamp

OUTCOME_EVENTS = {
    OutcomeKind.ACKNOWLEDGEMENT: (PacketEvent.ACKNOWLEDGE, PacketEvent.COMPLETE),
    OutcomeKind.ABSENCE: (PacketEvent.TIME_OUT, PacketEvent.REFUND),
}
"""What an outcome is, and what its execution at the source is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketStanding:
    """A packet, and where it stands."""

    lane: LaneKey
    sequence: int
    stored: StoredPacket | None
    """None of a hole that others settled: the packet itself was never shown."""
    state: PacketState
    proof_height: int
    """Number of the source's header under which its commitment was proven; 0 of a hole."""
    outcome: StoredOutcome | None
    outcome_height: int
    """Number of the destination's header under which the outcome was proven; 0 before."""
    exception: PacketException | None

    @property
    def name(self) -> str:
        """The resource name, ``lanes/{lane}/packets/{sequence}``."""
        return f"{self.lane.name}/packets/{self.sequence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryEvent:
    """One thing that happened to a packet."""

    event: str
    """ACCEPT, DENY, ATTEMPT, RETRY, or a ``PacketEvent``."""
    detail: str
    at: Timestamp | None
    """By the database's clock; None where no time is recorded."""
    proof_height: int
    """Number of the header that proves it; 0 where nothing is proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketStory:
    """All that happened to a packet, and what it waits for."""

    standing: PacketStanding
    events: tuple[StoryEvent, ...]
    """Oldest first."""
    waiting_for: str
    """A sentence; empty once the packet has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenClaim:
    """One key and value of a chain, the proof, and headers that lead to its root."""

    peer: PeerId
    headers: tuple[Header, ...]
    """The first is the one that an anchor names; each follows from the one before."""
    proof_height: Height
    key: bytes
    value: bytes
    """Empty claims that there is nothing at the key."""
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofBundle:
    """What shows a packet, and its outcome if it has one, from operators' own anchors."""

    standing: PacketStanding
    commitment: ProvenClaim
    outcome: ProvenClaim | None


def state_of(
    *, outcome: OutcomeKind | None, executed: bool, delivered: bool, denied: bool
) -> PacketState:
    """The state of a packet.

    *executed*: the outcome is reported executed at the source; *delivered*: the packet is reported
    executed at the destination, which says nothing of a denied one, for only a proof could.
    """
    if outcome is OutcomeKind.SETTLED_ELSEWHERE:
        return PacketState.SETTLED_ELSEWHERE
    state = PacketState.DENIED if denied else PacketState.ACCEPTED
    if delivered and not denied:
        state = move(state, PacketEvent.DELIVER)
    if outcome is not None:
        event, execution = OUTCOME_EVENTS[outcome]
        state = move(state, event)
        if executed:
            state = move(state, execution)
    return state
