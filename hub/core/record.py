"""What the registry keeps of packets: facts that are appended, and exceptions.

A fact is never changed: a packet, the proof of a frame, an outcome. Where a packet stands follows
from them and from its lane's two rows (lifecycle.py names the states). What is made for each packet
is a msgspec record: made eight times as fast as a frozen dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from hub.core.time import Timestamp

if TYPE_CHECKING:
    from hub.core.errors import Reason


@dataclass(frozen=True, slots=True)
class SkippedLeaf:
    """A leaf of a proof batch whose packet or acknowledgement is not for execution."""

    sequence: int
    commitment: bytes
    """The 32 bytes that the batch shows for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameProof:
    """The proof of all items of one frame, stored once."""

    height: int
    """Number of the header whose root it ends at."""
    content: bytes
    """As the adapter sent it."""
    leaf_count: int
    """Leaves that it proves: items taken from the frame, and skipped ones."""
    skipped: tuple[SkippedLeaf, ...] = ()
    """Leaves whose items were not taken from this frame."""


class NewPacket(msgspec.Struct, frozen=True, gc=False):
    """A proven packet on its way into the registry."""

    sequence: int
    content: bytes
    """Canonical protobuf of the packet."""
    timeout_timestamp: int
    """Whole seconds of the destination's time."""


@dataclass(frozen=True, slots=True)
class Denial:
    """Policy forbids a packet: it takes its place, and is never delivered."""

    sequence: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """The proven packets of one frame, to be recorded at the lane's source side."""

    lane_id: int
    gate: int
    """The source side's gate under which they were judged."""
    packets: tuple[NewPacket, ...]
    """Sequences rising, none accepted before; at least one."""
    denials: tuple[Denial, ...]
    proof: FrameProof


class StoredPacket(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An accepted packet."""

    sequence: int
    content: bytes
    timeout_timestamp: int
    proof_id: int
    accepted_at: Timestamp
    denial: str = ""
    """Why policy forbade it when it was accepted, in a sentence; empty where it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProof:
    """The proof of a frame, as stored."""

    proof_id: int
    gate: int
    """The gate under which it was recorded; an older one than now means: prove afresh."""
    proof: FrameProof


class OutcomeKind(StrEnum):
    """How a packet ended at its destination."""

    ACKNOWLEDGEMENT = "ACKNOWLEDGEMENT"
    ABSENCE = "ABSENCE"
    """Not received at a time at or past its timeout."""
    SETTLED_ELSEWHERE = "SETTLED_ELSEWHERE"
    """Others carried it; nothing is owed to the source."""


class NewOutcome(msgspec.Struct, frozen=True, gc=False):
    """A proven outcome on its way into the registry."""

    sequence: int
    kind: OutcomeKind
    content: bytes
    """Canonical acknowledgement; empty for other kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The proven outcomes of one frame, to be recorded at the lane's destination side."""

    lane_id: int
    gate: int
    """The destination side's gate under which they were judged."""
    outcomes: tuple[NewOutcome, ...]
    """Sequences rising, none with an outcome before; at least one."""
    proof: FrameProof
    source_gate: int | None = None
    """The source side's gate then, where its client proved them and no packet of theirs was
    accepted (settled elsewhere)."""


class StoredOutcome(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A recorded outcome."""

    outcome_index: int
    """Dense within its lane, from 0; the source side reads by it."""
    sequence: int
    kind: OutcomeKind
    content: bytes
    proof_id: int
    recorded_at: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Disproof:
    """Shows that an outcome, reported executed at the source, was not."""

    outcome_index: int
    sequence: int
    height: int
    """Number of the source's header under whose root the packet's commitment still stands."""
    proof: bytes
    """Of that commitment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopening:
    """A packet that had ended was open again, by a ``Disproof``."""

    height: int
    reopened_at: Timestamp
    """By the database's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutBatch:
    """The packets of one accepted frame, waiting for the earliest of their timeouts."""

    lane_id: int
    first: int
    last: int
    earliest: int
    """Whole seconds."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a chain or its adapter refused something, in its own words."""

    reason: Reason
    detail: str
    is_final: bool
    """Whether trying again cannot help."""


class ExceptionKind(StrEnum):
    """What an exception asks for."""

    HOLE = "HOLE"
    """A sequence missing between accepted ones: others may have carried it."""
    RETRY = "RETRY"
    """An attempt failed; the next one is planned."""
    HELD = "HELD"
    """A client is frozen or the lane is paused."""
    PARKED = "PARKED"
    """It needs an operator."""
    DENIED = "DENIED"
    """Policy forbids its route; waits for its timeout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketException:
    """Why a packet does not move by itself."""

    sequence: int
    kind: ExceptionKind
    reason: Reason
    detail: str
    attempts: int
    next_attempt_at: Timestamp | None
    since: Timestamp = field(default=Timestamp(0), compare=False)
    """Since when it is of this kind, by the database's clock; the registry says so."""


class AttemptKind(StrEnum):
    """What came of an attempt."""

    RETRY = "RETRY"
    """It failed; the next one is planned."""
    PARKED = "PARKED"
    """It was refused for good; it waits for an operator."""
    ASKED = "ASKED"
    """None yet: an operator asked for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to have a packet or its outcome executed that did not succeed."""

    at: Timestamp
    """By the database's clock."""
    peer: str
    """Whose chain or adapter refused; who asked, of a retry that was asked for."""
    kind: AttemptKind
    reason: Reason | None
    """None of a retry that was asked for."""
    detail: str
