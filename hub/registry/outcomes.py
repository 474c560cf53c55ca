"""Outcomes, and what adapters report executed, in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hub.core.budget import first_of
from hub.core.errors import GateChanged, IllegalMove, PacketNotFound
from hub.core.lane import Side
from hub.core.lifecycle import PacketEvent, PacketState
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import OutcomeKind, StoredOutcome
from hub.ports.registry import Change, Topic
from hub.registry import reopenings
from hub.registry.facts import FactQuery, StartsQuery, UnderProofQuery, absent, check_kept
from hub.registry.moments import timestamp
from hub.registry.multirange import to_text
from hub.registry.narrow import MAX_END
from hub.registry.narrow_rows import lock_both, lock_side, read_closed, write_set
from hub.registry.offers import RecordOffer, proven_sequences
from hub.registry.partitions import with_partitions
from hub.registry.statements import COMPLETED, DELIVERED, RECORD, RECORD_LOCKED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.record import Disproof, Reopening, Settlement
    from hub.ports.leases import Fence
    from hub.ports.registry import Changes
    from hub.registry.engine import Database
    from hub.registry.recent import RecentFacts

_BY: Final = """
SELECT o.* FROM unnest($2::bigint[], $3::bigint[]) AS r (low, high)
CROSS JOIN LATERAL (
    SELECT outcome_index, sequence, kind, content, proof_id, recorded_at FROM outcomes
    WHERE lane_id = $1 AND {column} >= r.low AND {column} < r.high AND day {days} OFFSET 0
) o ORDER BY {column}
"""
_READ: Final = FactQuery(_BY.replace("{column}", "outcome_index"))
_FIND: Final = FactQuery(_BY.replace("{column}", "sequence"))
_STARTS: Final = StartsQuery("outcomes", "outcome_index")
_UNDER_PROOF: Final = UnderProofQuery("outcomes", "outcome_index")


class PostgresOutcomes:
    """``hub.ports.packets.Outcomes`` in Postgres."""

    def __init__(self, database: Database, changes: Changes, recent: RecentFacts) -> None:
        """The outcomes of *database*; those written here are in *recent* for a while."""
        self._database = database
        self._changes = changes
        self._recent = recent

    async def record(self, fence: Fence, settlements: Sequence[Settlement]) -> None:
        """As the port says."""
        offer = RecordOffer.of(settlements)

        async def attempt() -> list[Any]:
            async with self._database.line() as line:
                stored: list[Any] = []
                if offer.is_plain:
                    stored = await line.fetch(RECORD, *offer.arguments(fence))
                return stored or await _record_locked(line, fence, offer)

        facts = self._recent.facts
        offer.remember(await with_partitions(self._database, attempt), facts)
        for lane_id in offer.lanes:
            self._changes.announce(Change(Topic.OUTCOMES, str(lane_id)))

    async def record_delivered(self, fence: Fence, lane_id: int, sequences: RangeSet) -> None:
        """As the port says."""
        if not sequences:
            return
        async with self._database.line() as line:
            arguments = (fence.peer, fence.epoch, lane_id, to_text(sequences))
            if await line.fetchval(DELIVERED, *arguments) is None:
                await _deliver_locked(line, fence, lane_id, sequences)

    async def record_completed(self, fence: Fence, lane_id: int, indexes: RangeSet) -> None:
        """As the port says."""
        if not indexes:
            return
        async with self._database.line() as line:
            arguments = (fence.peer, fence.epoch, lane_id, to_text(indexes))
            if await line.fetchval(COMPLETED, *arguments) is None:
                await _complete_locked(line, fence, lane_id, indexes)

    async def reopen(
        self, fence: Fence, lane_id: int, gate: int, found: Sequence[Disproof]
    ) -> Mapping[int, int]:
        """As the port says."""
        async with self._database.line() as line:
            return await reopenings.reopen(line, fence, lane_id, gate, found)

    async def reopenings(self, lane_id: int, sequence: int) -> Sequence[Reopening]:
        """As the port says."""
        async with self._database.line() as line:
            return await reopenings.of_packet(line, lane_id, sequence)

    async def read(
        self, lane_id: int, indexes: RangeSet, max_bytes: int | None = None
    ) -> Sequence[StoredOutcome]:
        """As the port says."""
        recent = self._recent.facts.outcomes.among(lane_id, indexes)
        if recent is not None:
            return first_of(recent, max_bytes)
        where = ("outcome_index", "indexes")
        return await self._among(_READ, lane_id, indexes, where, max_bytes)

    async def frame_starts(self, lane_id: int, indexes: RangeSet) -> Sequence[int]:
        """As the port says."""
        async with self._database.line() as line:
            return await _STARTS.starts(line, self._database.today, lane_id, indexes)

    async def under_proof(self, lane_id: int, proof_id: int, indexes: RangeSet) -> RangeSet:
        """As the port says."""
        async with self._database.line() as line:
            return await _UNDER_PROOF.among(line, self._database.today, lane_id, indexes, proof_id)

    async def find(
        self, lane_id: int, sequences: RangeSet, max_bytes: int | None = None
    ) -> Sequence[StoredOutcome]:
        """As the port says."""
        where = ("sequence", "settled")
        return await self._among(_FIND, lane_id, sequences, where, max_bytes)

    async def _among(
        self,
        query: FactQuery,
        lane_id: int,
        numbers: RangeSet,
        where: tuple[str, str],
        max_bytes: int | None,
    ) -> list[StoredOutcome]:
        """The outcomes of *numbers*; they are *where*, by column and by kind of what is retired."""
        if not numbers:
            return []
        column, kind = where
        today = self._database.today
        async with self._database.line() as line:
            rows = await query.by_range(line, today, lane_id, numbers, column, max_bytes)
            missing = absent(rows, numbers, column, max_bytes)
            await check_kept(line, lane_id, missing, kind)
        return [_outcome(row) for row in rows]


async def _record_locked(line: Any, fence: Fence, offer: RecordOffer) -> list[Any]:
    """The offer is stored after looking at each row under lock; a row for each frame.

    Raises as ``record``.
    """
    async with line.transaction():
        for lane_id, parts in offer.lanes.items():
            of_source = any(part.source_gate is not None for part in parts)
            lock = lock_both if of_source else lock_side
            row = await lock(line, fence, lane_id, Side.DESTINATION)
            new = EMPTY
            for part in parts:
                added = RangeSet.of([outcome.sequence for outcome in part.outcomes])
                if added.end > MAX_END:
                    raise PacketNotFound(name=f"{row.lane}/packets/{MAX_END}")
                closed = await read_closed(line, row, "DONE", added)
                if row.stopped or part.gate != row.gate or added & (new | (row.done - closed)):
                    raise GateChanged(lane=row.lane, gate=part.gate)
                proven = proven_sequences([part])
                if part.source_gate is not None and (
                    part.source_gate != row.other_gate or (added - proven) & row.other_done
                ):
                    raise GateChanged(lane=row.lane, gate=part.source_gate)
                unknown = proven - row.other_done
                if unknown:
                    raise PacketNotFound(name=f"{row.lane}/packets/{unknown.first}")
                new |= added
            await write_set(line, row, "DONE", new, EMPTY)
        return list(await line.fetch(RECORD_LOCKED, *offer.arguments(fence)))


async def _deliver_locked(line: Any, fence: Fence, lane_id: int, sequences: RangeSet) -> None:
    async with line.transaction():
        row = await lock_side(line, fence, lane_id, Side.DESTINATION)
        unknown = sequences - row.other_done
        if unknown:
            raise PacketNotFound(name=f"{row.lane}/packets/{unknown.first}")
        # A packet with an outcome was executed or never will be: nobody asks any more.
        ended = row.done - await read_closed(line, row, "DONE", row.done)
        await write_set(line, row, "PROGRESS", sequences, ended)


async def _complete_locked(line: Any, fence: Fence, lane_id: int, indexes: RangeSet) -> None:
    async with line.transaction():
        row = await lock_side(line, fence, lane_id, Side.SOURCE)
        if indexes.end > row.other_count:
            raise IllegalMove(state=PacketState.ACCEPTED, event=PacketEvent.COMPLETE)
        await write_set(line, row, "PROGRESS", indexes, EMPTY)


def _outcome(row: Any) -> StoredOutcome:
    return StoredOutcome(
        outcome_index=row["outcome_index"],
        sequence=row["sequence"],
        kind=OutcomeKind(row["kind"]),
        content=row["content"],
        proof_id=row["proof_id"],
        recorded_at=timestamp(row["recorded_at"]),
    )
