"""What a relayer asks a chain to execute, and what the chain made of it.

The relayer is not trusted: a chain verifies every update and every proof by its own client of the
other chain, and a packet has its effect once, however often it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    from hub.core.client import Header
    from hub.core.errors import HubError
    from hub.core.height import Height
    from hub.core.ids import ClientId
    from hub.core.packet import Acknowledgement, Packet
    from hub.core.record import SkippedLeaf


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStep:
    """A header for one of the chain's clients, and from where to verify it."""

    trusted_height: Height | None
    """A height that the client has a consensus state of; None for the anchor's own header."""
    trusted_validators: bytes
    """Canonical bytes of the set that the trusted height names as next."""
    header: Header


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive:
    """Packets to receive, whose commitments one proof batch shows."""

    packets: tuple[Packet, ...]
    """Sequences rising, all of one lane."""
    contents: tuple[bytes, ...]
    """Their canonical bytes."""
    skipped: tuple[SkippedLeaf, ...]
    """Leaves of the batch that are not to be executed."""
    proof_height: Height
    """The source's header whose root the batch ends at."""
    proof_batch: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge:
    """Acknowledgements to execute, whose commitments one proof batch shows."""

    packets: tuple[Packet, ...]
    """Sequences rising, all of one lane."""
    contents: tuple[bytes, ...]
    acknowledgements: tuple[Acknowledgement, ...]
    """One for each packet."""
    acknowledgement_contents: tuple[bytes, ...]
    skipped: tuple[SkippedLeaf, ...]
    proof_height: Height
    """The destination's header whose root the batch ends at."""
    proof_batch: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOut:
    """A packet to refund, and the whole proof that it was not received in time."""

    packet: Packet
    content: bytes
    proof_height: Height
    """The destination's header that gives both the time and the root."""
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Two headers of the verified chain that contradict each other, for the client to judge."""

    first: UpdateStep
    second: UpdateStep


@dataclass(frozen=True, slots=True)
class Gone:
    """A sequence that the source has given out and commits to no more."""

    sequence: int
    proof: bytes
    """Whole, of the absence of its commitment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOver:
    """Sequences that are gone from the source, for a gateway that enforces order to pass over.

    Only such a gateway is ever asked: nothing can come of them any more, and what follows waits.
    """

    gone: tuple[Gone, ...]
    """Sequences rising."""
    next_sequence: int
    """That the source gives out next, as ``next_sequence_send_key`` shows it."""
    next_sequence_proof: bytes
    proof_height: Height
    """The source's header whose root all proofs end at."""


Action = Receive | Acknowledge | TimeOut | Freeze | PassOver


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Client updates, then at most one action that needs them."""

    execution_id: int
    lane: str
    """``lanes/{lane}``; empty for client updates and misbehaviour."""
    client: ClientId
    """The chain's own client that is updated and that judges the proofs."""
    updates: tuple[UpdateStep, ...]
    """In order."""
    action: Action | None
    possible_duplicate: bool
    """An earlier attempt may have had its effect: ask the chain before submitting again."""
    in_order: bool = False
    """Packets must be received in their order: nothing after one that is refused, unless that one's
    timeout has passed, is executed. What is left for that is refused as ``SequenceOutOfOrder``."""

    @property
    def sequences(self) -> RangeSet:
        """The sequences that the action concerns."""
        match self.action:
            case Receive() | Acknowledge():
                return RangeSet.of([packet.sequence for packet in self.action.packets])
            case TimeOut():
                return RangeSet.of([self.action.packet.sequence])
            case PassOver():
                return RangeSet.of([one.sequence for one in self.action.gone])
            case _:
                return EMPTY


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that was not done, and why."""

    sequence: int
    """0 where the whole is meant."""
    error: HubError


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionResult:
    """What the chain made of an execution, sequence by sequence."""

    executed: RangeSet = EMPTY
    already_done: RangeSet = EMPTY
    """Executed before, by whomever."""
    refused: tuple[Refused, ...] = ()
    trusted_heights: tuple[Height, ...] = ()
    """Heights that the client has consensus states of now, the newest last; 64 are told."""
