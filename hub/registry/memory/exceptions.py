"""Exceptions in memory."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from hub.core.errors import LeaseLost, Reason
from hub.core.lane import LaneKey, LaneState, Side
from hub.core.ranges import RangeSet
from hub.core.record import Attempt, AttemptKind, ExceptionKind, PacketException
from hub.ports.packets import ListedException
from hub.ports.registry import Topic
from hub.registry.memory.packets import among
from hub.registry.multirange import from_text, to_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from hub.ports.caller import Caller
    from hub.ports.leases import Fence
    from hub.ports.packets import ExceptionFilter
    from hub.registry.memory.state import LaneRow, State

_TRIED = {ExceptionKind.RETRY: AttemptKind.RETRY, ExceptionKind.PARKED: AttemptKind.PARKED}


class MemoryExceptions:
    """``hub.ports.packets.Exceptions`` in memory."""

    def __init__(self, state: State) -> None:
        """The exceptions of *state*."""
        self._state = state

    async def put(self, fence: Fence, lane_id: int, found: Sequence[PacketException]) -> None:
        """As the port says."""
        row = self._fenced(fence, lane_id)
        for new in {new.sequence: new for new in found}.values():
            self._note_attempt(row, fence, new)
            old = row.exceptions.get(new.sequence)
            if old is not None and old.kind is ExceptionKind.DENIED:
                row.exceptions[new.sequence] = replace(
                    old, attempts=new.attempts, next_attempt_at=new.next_attempt_at
                )
            else:
                is_same = old is not None and old.kind is new.kind
                since = old.since if old is not None and is_same else self._state.now()
                row.exceptions[new.sequence] = replace(new, since=since)

    async def remove(self, fence: Fence, lane_id: int, sequences: RangeSet) -> None:
        """As the port says."""
        row = self._fenced(fence, lane_id)
        for sequence in among(row.exceptions, sequences):
            if row.exceptions[sequence].kind is not ExceptionKind.DENIED:
                del row.exceptions[sequence]

    async def ranges(
        self, lane_ids: Collection[int]
    ) -> Mapping[int, Mapping[ExceptionKind, RangeSet]]:
        """As the port says."""
        found: dict[int, dict[ExceptionKind, RangeSet]] = {}
        for lane_id, kinds in (await self.counts(lane_ids)).items():
            row = self._state.known(lane_id).exceptions
            found[lane_id] = {
                kind: RangeSet.of([n for n, one in row.items() if one.kind is kind])
                for kind in kinds
            }
        return found

    async def among(self, lane_id: int, sequences: RangeSet) -> Sequence[PacketException]:
        """As the port says."""
        exceptions = self._state.known(lane_id).exceptions
        return [exceptions[sequence] for sequence in among(exceptions, sequences)]

    async def counts(self, lane_ids: Collection[int]) -> Mapping[int, Mapping[ExceptionKind, int]]:
        """As the port says."""
        rows = {lane_id: self._state.known(lane_id).exceptions.values() for lane_id in lane_ids}
        return {lane: dict(Counter(one.kind for one in row)) for lane, row in rows.items() if row}

    async def attempts(self, lane_id: int, sequence: int, limit: int) -> Sequence[Attempt]:
        """As the port says."""
        noted = self._state.known(lane_id).attempts
        return [attempt for sequences, attempt in noted if sequence in sequences][-limit:]

    async def page(
        self, wanted: ExceptionFilter, after: tuple[str, int], limit: int
    ) -> Sequence[ListedException]:
        """As the port says."""
        rows = sorted(self._state.lanes.values(), key=lambda row: str(row.lane.key))
        found = (
            ListedException(row.lane.key, entry)
            for row in rows
            if wanted.lane in {None, row.lane.key}
            for entry in self._of_kind(row, wanted.kind)
            if (str(row.lane.key), entry.sequence) > after
            and (wanted.before is None or entry.since <= wanted.before)
        )
        return list(islice(found, limit))

    async def retry(
        self, packets: Sequence[tuple[LaneKey, int]], by: Caller
    ) -> Mapping[LaneKey, RangeSet]:
        """As the port says."""
        again = self._state.repeated(by)
        if again is not None:
            known: dict[str, str] = json.loads(again.result)
            return {LaneKey.parse(key): from_text(text) for key, text in known.items()}
        asked: dict[LaneKey, list[int]] = defaultdict(list)
        for key, sequence in packets:
            asked[key].append(sequence)
        due = {key: self._make_due(key, asked[key], by) for key in sorted(asked, key=str)}
        due = {key: sequences for key, sequences in due.items() if sequences}
        result = {str(key): to_text(sequences) for key, sequences in due.items()}
        self._state.carried_out(by, json.dumps(result))
        return due

    def _make_due(self, key: LaneKey, sequences: Sequence[int], by: Caller) -> RangeSet:
        lane_id = self._state.lane_ids.get(key)
        if lane_id is None:
            return RangeSet()
        row, at = self._state.lanes[lane_id], self._state.now()
        due = []
        for sequence in sequences:
            old = row.exceptions.get(sequence)
            if old is None or old.kind not in _TRIED:
                continue
            since = old.since if old.kind is ExceptionKind.RETRY else at
            row.exceptions[sequence] = replace(
                old, kind=ExceptionKind.RETRY, since=since, next_attempt_at=at
            )
            due.append(sequence)
        if not due:
            return RangeSet()
        found = RangeSet.of(due)
        asked = Attempt(at=at, peer=by.identity, kind=AttemptKind.ASKED, reason=None, detail="")
        row.attempts.append((found, asked))
        self._state.audit(by.identity, "packet.retry", key.name, 1, to_text(found))
        self._state.announce(Topic.RETRIES, lane_id)
        return found

    def _of_kind(self, row: LaneRow, kind: ExceptionKind) -> Iterator[PacketException]:
        if kind is ExceptionKind.HELD:
            yield from self._held(row)
        for sequence in sorted(row.exceptions):
            if row.exceptions[sequence].kind is kind:
                yield row.exceptions[sequence]

    def _held(self, row: LaneRow) -> Iterator[PacketException]:
        key = row.lane.key
        is_paused = row.lane.state is LaneState.PAUSED
        stopped = self._state.stopped_cause(key.source_peer)
        stopped = stopped or self._state.stopped_cause(key.destination_peer)
        if not (is_paused or stopped):
            return
        done, end = row.sides[Side.SOURCE].as_side().done, row.sides[Side.DESTINATION].as_side()
        for sequence in done - end.done - end.progress:
            packet = row.packets.get(sequence)
            if packet is not None and sequence not in row.exceptions:
                yield PacketException(
                    sequence=sequence,
                    kind=ExceptionKind.HELD,
                    reason=Reason.LANE_PAUSED if is_paused else Reason.CLIENT_FROZEN,
                    detail=row.lane.pause_cause if is_paused else stopped,
                    attempts=0,
                    next_attempt_at=None,
                    since=packet.accepted_at,
                )

    def _note_attempt(self, row: LaneRow, fence: Fence, new: PacketException) -> None:
        kind = _TRIED.get(new.kind)
        if kind is not None:
            attempt = Attempt(
                at=self._state.now(),
                peer=fence.peer,
                kind=kind,
                reason=new.reason,
                detail=new.detail,
            )
            row.attempts.append((RangeSet.of([new.sequence]), attempt))

    def _fenced(self, fence: Fence, lane_id: int) -> LaneRow:
        """The lane, one of whose sides *fence* may write. Raises ``LeaseLost``."""
        row = self._state.lane(lane_id)
        writers = [(side.peer, side.epoch) for side in row.sides.values()]
        if (fence.peer, fence.epoch) not in writers:
            raise LeaseLost(peer=fence.peer, epoch=fence.epoch)
        return row
