"""Accepted packets, proofs and timeout batches in Postgres.

An acceptance is one statement, and so one transaction and one round trip: it finds the rows of its
lanes as they were judged (lease, gate, nothing done twice), or does nothing at all. Arrays in one
statement cost less than COPY at every batch size: the same at the server, and one round trip
instead of five.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.core.budget import first_of
from hub.core.errors import GapTooWide, GateChanged
from hub.core.lane import Side
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import FrameProof, StoredPacket, StoredProof, TimeoutBatch
from hub.ports.registry import Change, Topic
from hub.registry.facts import (
    FactQuery,
    StartsQuery,
    UnderProofQuery,
    absent,
    check_kept,
    until_full,
)
from hub.registry.moments import timestamp
from hub.registry.narrow import MAX_END, MAX_HOLES, NarrowSet
from hub.registry.narrow_rows import lock_side, read_closed, write_set
from hub.registry.offers import AcceptOffer
from hub.registry.partitions import with_partitions
from hub.registry.recent import PROOFS
from hub.registry.skipped import decode_skipped
from hub.registry.statements import (
    ACCEPT,
    ACCEPT_LOCKED,
    DROP_ENDED_TIMEOUTS,
    HOLES,
    MOVE_TIMEOUTS,
    check_fenced,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from hub.core.record import Acceptance
    from hub.ports.leases import Fence
    from hub.ports.registry import Changes
    from hub.registry.engine import Database
    from hub.registry.recent import RecentFacts

_COLUMNS: Final = "sequence, content, timeout_timestamp, proof_id, accepted_at, denial"
_READ: Final = FactQuery(
    f"""
    SELECT p.* FROM unnest($2::bigint[], $3::bigint[]) AS r (low, high)
    CROSS JOIN LATERAL (
        SELECT {_COLUMNS} FROM packets
        WHERE lane_id = $1 AND sequence >= r.low AND sequence < r.high AND day {{days}} OFFSET 0
    ) p ORDER BY sequence
    """  # noqa: S608 - our columns
)
_STARTS: Final = StartsQuery("packets", "sequence")
_UNDER_PROOF: Final = UnderProofQuery("packets", "sequence")
_PAGE: Final = f"""
SELECT {_COLUMNS} FROM packets WHERE lane_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
"""  # noqa: S608 - our columns
_FULL_PAGE: Final = until_full(_PAGE, "sequence")
_PROOFS: Final = FactQuery(
    """
    SELECT proof_id, gate, height, leaf_count, skipped, content FROM proofs
    WHERE proof_id = ANY($1::bigint[]) AND day {days}
    """
)
_DUE: Final = """
SELECT lane_id, first, last, earliest FROM timeout_batches
WHERE lane_id = $1 AND earliest <= $2 ORDER BY earliest, first LIMIT $3
"""
_EARLIEST: Final = """
SELECT n.lane_id, t.earliest FROM unnest($1::bigint[]) AS n (lane_id)
CROSS JOIN LATERAL (
    SELECT earliest FROM timeout_batches WHERE lane_id = n.lane_id ORDER BY earliest LIMIT 1
) t
"""


class PostgresPackets:
    """``hub.ports.packets.Packets`` in Postgres."""

    def __init__(self, database: Database, changes: Changes, recent: RecentFacts) -> None:
        """The packets of *database*; those written here are in *recent* for a while."""
        self._database = database
        self._changes = changes
        self._recent = recent

    async def accept(self, fence: Fence, acceptances: Sequence[Acceptance]) -> None:
        """As the port says."""
        offer = AcceptOffer.of(acceptances)

        async def attempt() -> list[Any]:
            async with self._database.line() as line:
                stored: list[Any] = []
                if offer.is_plain:
                    stored = await line.fetch(ACCEPT, *offer.arguments(fence))
                return stored or await _accept_locked(line, fence, offer)

        facts = self._recent.facts
        offer.remember(await with_partitions(self._database, attempt), facts)
        for lane_id in offer.lanes:
            self._changes.announce(Change(Topic.ACCEPTED, str(lane_id)))

    async def read(
        self, lane_id: int, sequences: RangeSet, max_bytes: int | None = None
    ) -> Sequence[StoredPacket]:
        """As the port says."""
        recent = self._recent.facts.packets.among(lane_id, sequences)
        if recent is not None:
            return first_of(recent, max_bytes)
        today = self._database.today
        async with self._database.line() as line:
            rows = await _READ.by_range(line, today, lane_id, sequences, "sequence", max_bytes)
            missing = absent(rows, sequences, "sequence", max_bytes)
            await check_kept(line, lane_id, missing, "sequences")
        return [_packet(row) for row in rows]

    async def frame_starts(self, lane_id: int, sequences: RangeSet) -> Sequence[int]:
        """As the port says."""
        async with self._database.line() as line:
            return await _STARTS.starts(line, self._database.today, lane_id, sequences)

    async def page(
        self, lane_id: int, after: int, limit: int, max_bytes: int | None = None
    ) -> Sequence[StoredPacket]:
        """As the port says."""
        async with self._database.line() as line:
            if max_bytes is None:
                rows = await line.fetch(_PAGE, lane_id, after, limit)
            else:
                rows = await line.fetch(_FULL_PAGE, lane_id, after, limit, max_bytes)
        return [_packet(row) for row in rows]

    async def under_proof(self, lane_id: int, proof_id: int, sequences: RangeSet) -> RangeSet:
        """As the port says."""
        async with self._database.line() as line:
            return await _UNDER_PROOF.among(
                line, self._database.today, lane_id, sequences, proof_id
            )

    async def proofs(self, proof_ids: Sequence[int]) -> Mapping[int, StoredProof]:
        """As the port says."""
        recent = self._recent.facts.proofs.among(PROOFS, RangeSet.of(proof_ids))
        if recent is not None:
            return {proof.proof_id: proof for proof in recent}
        async with self._database.line() as line:
            rows = await _PROOFS.by_id(line, self._database.today, proof_ids, "proof_id")
        return {row["proof_id"]: _proof(row) for row in rows}

    async def due_timeouts(self, lane_id: int, at: int, limit: int) -> Sequence[TimeoutBatch]:
        """As the port says."""
        async with self._database.line() as line:
            rows = await line.fetch(_DUE, lane_id, at, limit)
        return [
            TimeoutBatch(
                lane_id=row["lane_id"],
                first=row["first"],
                last=row["last"],
                earliest=row["earliest"],
            )
            for row in rows
        ]

    async def earliest_timeouts(self, lane_ids: Collection[int]) -> Mapping[int, int]:
        """As the port says."""
        async with self._database.line() as line:
            rows = await line.fetch(_EARLIEST, list(lane_ids))
        return {row["lane_id"]: row["earliest"] for row in rows}

    async def drop_ended_timeouts(self, fence: Fence, lane_ids: Collection[int]) -> None:
        """As the port says."""
        lanes = sorted(set(lane_ids))
        async with self._database.line() as line:
            fenced = await line.fetchval(DROP_ENDED_TIMEOUTS, fence.peer, fence.epoch, lanes)
            await check_fenced(line, fence, lanes, fenced)

    async def move_timeouts(
        self, fence: Fence, moves: Sequence[tuple[TimeoutBatch, int | None]]
    ) -> None:
        """As the port says."""
        if not moves:
            return
        lanes = sorted({batch.lane_id for batch, _ in moves})
        async with self._database.line() as line:
            fenced = await line.fetchval(
                MOVE_TIMEOUTS,
                fence.peer,
                fence.epoch,
                lanes,
                [batch.lane_id for batch, _ in moves],
                [batch.first for batch, _ in moves],
                [earliest for _, earliest in moves],
            )
            await check_fenced(line, fence, lanes, fenced)


async def _accept_locked(line: Any, fence: Fence, offer: AcceptOffer) -> list[Any]:
    """The offer is stored after looking at each row under lock; a row for each frame.

    Raises as ``accept``.
    """
    async with line.transaction():
        for lane_id, parts in offer.lanes.items():
            await _add_to_lane(line, fence, lane_id, parts)
        return list(await line.fetch(ACCEPT_LOCKED, *offer.arguments(fence)))


async def _add_to_lane(line: Any, fence: Fence, lane_id: int, parts: Sequence[Acceptance]) -> None:
    row = await lock_side(line, fence, lane_id, Side.SOURCE)
    new = EMPTY
    for part in parts:
        added = RangeSet.of([packet.sequence for packet in part.packets])
        if added.end > MAX_END:
            raise GapTooWide(lane=row.lane, ranges=added.end, limit=MAX_HOLES)
        closed = await read_closed(line, row, "DONE", added)
        if row.stopped or part.gate != row.gate or added & (new | (row.done - closed)):
            raise GateChanged(lane=row.lane, gate=part.gate)
        new |= added
    before = await read_closed(line, row, "DONE", new)
    after = NarrowSet(row.done, before).add(new)
    # What others carried is missing here, but nobody waits for it.
    holes = after.closed - before - row.other_done
    if len(after.closed) > len(before):
        everything = await read_closed(line, row, "DONE", row.done)
        count = len((everything - before | after.closed) - row.other_done)
        if count > MAX_HOLES:
            raise GapTooWide(lane=row.lane, ranges=count, limit=MAX_HOLES)
    await write_set(line, row, "DONE", new, EMPTY)
    if holes:
        await line.execute(HOLES, lane_id, list(holes))


def _packet(row: Any) -> StoredPacket:
    return StoredPacket(
        sequence=row["sequence"],
        content=row["content"],
        timeout_timestamp=row["timeout_timestamp"],
        proof_id=row["proof_id"],
        accepted_at=timestamp(row["accepted_at"]),
        denial=row["denial"],
    )


def _proof(row: Any) -> StoredProof:
    proof = FrameProof(
        height=row["height"],
        content=row["content"],
        leaf_count=row["leaf_count"],
        skipped=decode_skipped(row["skipped"]),
    )
    return StoredProof(proof_id=row["proof_id"], gate=row["gate"], proof=proof)
