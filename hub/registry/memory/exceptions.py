"""Exceptions in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub.core.errors import LeaseLost
from hub.core.record import ExceptionKind
from hub.registry.memory.packets import among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ranges import RangeSet
    from hub.core.record import PacketException
    from hub.ports.leases import Fence
    from hub.registry.memory.state import LaneRow, State


class MemoryExceptions:
    """``hub.ports.packets.Exceptions`` in memory."""

    def __init__(self, state: State) -> None:
        """The exceptions of *state*."""
        self._state = state

    async def put(self, fence: Fence, lane_id: int, found: Sequence[PacketException]) -> None:
        """As the port says."""
        row = self._fenced(fence, lane_id)
        for new in found:
            old = row.exceptions.get(new.sequence)
            if old is not None and old.kind is ExceptionKind.DENIED:
                row.exceptions[new.sequence] = replace(
                    old, attempts=new.attempts, next_attempt_at=new.next_attempt_at
                )
            else:
                row.exceptions[new.sequence] = new

    async def remove(self, fence: Fence, lane_id: int, sequences: RangeSet) -> None:
        """As the port says."""
        row = self._fenced(fence, lane_id)
        for sequence in among(row.exceptions, sequences):
            if row.exceptions[sequence].kind is not ExceptionKind.DENIED:
                del row.exceptions[sequence]

    async def of_lane(self, lane_id: int) -> Sequence[PacketException]:
        """As the port says."""
        exceptions = self._state.known(lane_id).exceptions
        return [exceptions[sequence] for sequence in sorted(exceptions)]

    def _fenced(self, fence: Fence, lane_id: int) -> LaneRow:
        """The lane, one of whose sides *fence* may write. Raises ``LeaseLost``."""
        row = self._state.lane(lane_id)
        writers = [(side.peer, side.epoch) for side in row.sides.values()]
        if (fence.peer, fence.epoch) not in writers:
            raise LeaseLost(peer=fence.peer, epoch=fence.epoch)
        return row
