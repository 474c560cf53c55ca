"""What the registry remembers of packets, outcomes and exceptions: facts, appended once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hub.core.lane import LaneKey
    from hub.core.ranges import RangeSet
    from hub.core.record import (
        Acceptance,
        Attempt,
        Disproof,
        ExceptionKind,
        PacketException,
        Reopening,
        Settlement,
        StoredOutcome,
        StoredPacket,
        StoredProof,
        TimeoutBatch,
    )
    from hub.core.time import Timestamp
    from hub.ports.caller import Caller
    from hub.ports.leases import Fence


class Packets(Protocol):
    """Accepted packets and the proofs of their frames. The source's lease owner writes."""

    async def accept(self, fence: Fence, acceptances: Sequence[Acceptance]) -> None:
        """All *acceptances* are durable, in one transaction, lanes rising by id.

        A denial is an exception of kind DENIED; a sequence missing below the highest accepted one
        becomes an exception of kind HOLE only when the lane's ranges would exceed their limit.
        Raises ``LeaseLost``; ``GateChanged`` when a gate is another, the side is stopped, or a
        sequence is done already: read the view again and judge again; ``GapTooWide``;
        ``LaneNotFound``. Nothing is stored then.
        """
        ...

    async def read(
        self, lane_id: int, sequences: RangeSet, max_bytes: int | None = None
    ) -> Sequence[StoredPacket]:
        """The accepted packets among *sequences*, in order.

        Given *max_bytes*, no more than the first of them: the last one is that with which their
        contents are so many bytes or more. Raises ``SequenceRetired`` for one whose records are
        dropped.
        """
        ...

    async def frame_starts(self, lane_id: int, sequences: RangeSet) -> Sequence[int]:
        """The first of *sequences* under each of their proofs, rising; of recent days alone."""
        ...

    async def page(
        self, lane_id: int, after: int, limit: int, max_bytes: int | None = None
    ) -> Sequence[StoredPacket]:
        """At most *limit* accepted packets whose sequence is above *after*, in order.

        *max_bytes* ends them as in ``read``.
        """
        ...

    async def under_proof(self, lane_id: int, proof_id: int, sequences: RangeSet) -> RangeSet:
        """Those of *sequences* that were accepted by this proof; no contents are read."""
        ...

    async def proofs(self, proof_ids: Sequence[int]) -> Mapping[int, StoredProof]:
        """Stored proofs of frames, by id; unknown ids are left out."""
        ...

    async def due_timeouts(self, lane_id: int, at: int, limit: int) -> Sequence[TimeoutBatch]:
        """At most *limit* batches of the lane whose earliest timeout is not after *at* (s)."""
        ...

    async def earliest_timeouts(self, lane_ids: Collection[int]) -> Mapping[int, int]:
        """By lane the earliest timeout (s) of its batches; a lane without batches is left out."""
        ...

    async def drop_ended_timeouts(self, fence: Fence, lane_ids: Collection[int]) -> None:
        """Batches of these lanes whose packets have all ended wait no more.

        The fence is the destination's. Raises ``LeaseLost``, ``LaneNotFound``.
        """
        ...

    async def move_timeouts(
        self, fence: Fence, moves: Sequence[tuple[TimeoutBatch, int | None]]
    ) -> None:
        """Each batch waits for its new earliest timeout (s), or no more (None).

        The fence is the destination's. Raises ``LeaseLost``.
        """
        ...


class Outcomes(Protocol):
    """Acknowledgements and absences, by dense outcome index of each lane."""

    async def record(self, fence: Fence, settlements: Sequence[Settlement]) -> None:
        """All *settlements* are durable, in one transaction. The destination's lease owner writes.

        Raises ``LeaseLost``, or ``GateChanged`` as ``Packets.accept``; ``PacketNotFound`` for an
        acknowledgement or absence of a packet that was not accepted; ``LaneNotFound``. Exceptions
        of the settled sequences are removed.
        """
        ...

    async def record_delivered(self, fence: Fence, lane_id: int, sequences: RangeSet) -> None:
        """The destination's adapter reports *sequences* executed.

        Raises ``LeaseLost``, ``LaneNotFound``, or ``PacketNotFound`` for one that was not accepted.
        """
        ...

    async def record_completed(self, fence: Fence, lane_id: int, indexes: RangeSet) -> None:
        """The source's adapter reports the outcomes *indexes* executed; its lease owner writes.

        Raises ``LeaseLost``, ``LaneNotFound``, or ``IllegalMove`` for an index without outcome.
        """
        ...

    async def reopen(
        self, fence: Fence, lane_id: int, gate: int, found: Sequence[Disproof]
    ) -> Mapping[int, int]:
        """What *found* disproves is executed no more, in one transaction, and each proof is kept.

        By outcome index how often it was open again, this time too; one that was not executed is
        left out. Each packet is an exception of kind RETRY. The source's lease owner writes; *gate*
        is of its side. Raises ``LeaseLost``, ``LaneNotFound``, ``GateChanged`` when it is another,
        or ``SequenceRetired``.
        """
        ...

    async def reopenings(self, lane_id: int, sequence: int) -> Sequence[Reopening]:
        """How often and by what the packet was open again, oldest first."""
        ...

    async def read(
        self, lane_id: int, indexes: RangeSet, max_bytes: int | None = None
    ) -> Sequence[StoredOutcome]:
        """The outcomes among *indexes*, in order; *max_bytes* ends it as in ``Packets.read``.

        Raises ``SequenceRetired``.
        """
        ...

    async def frame_starts(self, lane_id: int, indexes: RangeSet) -> Sequence[int]:
        """The first of *indexes* under each of their proofs, rising; of recent days alone."""
        ...

    async def under_proof(self, lane_id: int, proof_id: int, indexes: RangeSet) -> RangeSet:
        """Those of *indexes* that were recorded by this proof; no contents are read."""
        ...

    async def find(
        self, lane_id: int, sequences: RangeSet, max_bytes: int | None = None
    ) -> Sequence[StoredOutcome]:
        """The outcomes of *sequences*, by sequence; *max_bytes* ends it as in ``Packets.read``.

        Raises ``SequenceRetired``.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionFilter:
    """Which exceptions a list is narrowed to."""

    kind: ExceptionKind
    lane: LaneKey | None = None
    """None for all lanes."""
    before: Timestamp | None = None
    """Only those that are so since then or longer, by the database's clock."""


@dataclass(frozen=True, slots=True)
class ListedException:
    """An exception, and where."""

    lane: LaneKey
    exception: PacketException


class Exceptions(Protocol):
    """The small table of packets that do not move by themselves."""

    async def put(self, fence: Fence, lane_id: int, found: Sequence[PacketException]) -> None:
        """Each exception stands under its sequence, instead of any before.

        A DENIED one stays DENIED, whatever is put: only its attempts change. The fence is either
        end's. Raises ``LeaseLost``, ``LaneNotFound``.
        """
        ...

    async def remove(self, fence: Fence, lane_id: int, sequences: RangeSet) -> None:
        """*sequences* have no exception, but DENIED ones keep it. Raises as ``put``."""
        ...

    async def ranges(
        self, lane_ids: Collection[int]
    ) -> Mapping[int, Mapping[ExceptionKind, RangeSet]]:
        """Which sequences of each lane are exceptions of each kind; what has none is left out."""
        ...

    async def among(self, lane_id: int, sequences: RangeSet) -> Sequence[PacketException]:
        """The exceptions of *sequences*, by sequence: no others of the lane are read."""
        ...

    async def counts(self, lane_ids: Collection[int]) -> Mapping[int, Mapping[ExceptionKind, int]]:
        """How many exceptions of each kind each lane has; what has none is left out."""
        ...

    async def attempts(self, lane_id: int, sequence: int, limit: int) -> Sequence[Attempt]:
        """The last *limit* attempts that failed and retries that were asked for, oldest first.

        ``put`` notes an attempt for every exception of kind RETRY or PARKED.
        """
        ...

    async def page(
        self, wanted: ExceptionFilter, after: tuple[str, int], limit: int
    ) -> Sequence[ListedException]:
        """At most *limit* exceptions above *after*, (lane, sequence), in that order.

        Of kind HELD are open packets of stopped lanes that nobody has delivered; they are no rows,
        and since their acceptance.
        """
        ...

    async def retry(
        self, packets: Sequence[tuple[LaneKey, int]], by: Caller
    ) -> Mapping[LaneKey, RangeSet]:
        """Those of *packets* that are PARKED or RETRY are RETRY, and due now; which, by lane.

        The same request again answers what the first one did. Raises ``RequestIdReused``.
        """
        ...
