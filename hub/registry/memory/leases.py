"""Leases in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import LeaseLost
from hub.core.time import Timestamp
from hub.ports.leases import Fence, Lease
from hub.registry.memory.state import LeaseRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ids import PeerId
    from hub.core.time import Duration
    from hub.registry.memory.state import State


class MemoryLeases:
    """``hub.ports.leases.Leases`` in memory."""

    def __init__(self, state: State) -> None:
        """The leases of *state*."""
        self._state = state

    async def acquire(self, peer: PeerId, owner: str, ttl: Duration) -> Fence | None:
        """As the port says."""
        state = self._state
        state.peer(peer)
        row = state.leases.setdefault(peer, LeaseRow())
        if row.owner not in {None, owner} and row.expires_at > state.now():
            return None
        self._raise(peer, row)
        row.owner, row.attached = owner, False
        row.expires_at = Timestamp(state.now() + ttl)
        return Fence(peer, row.epoch)

    async def renew(self, fence: Fence, ttl: Duration, *, attached: bool) -> None:
        """As the port says."""
        row = self._state.check_lease(fence)
        if row.owner is None:
            raise LeaseLost(peer=fence.peer, epoch=fence.epoch)
        row.expires_at = Timestamp(self._state.now() + ttl)
        row.attached = attached

    async def renew_all(self, fences: Sequence[Fence], ttl: Duration) -> Sequence[Fence]:
        """As the port says."""
        lost: list[Fence] = []
        for fence in fences:
            try:
                await self.renew(fence, ttl, attached=True)
            except LeaseLost:
                lost.append(fence)
        return lost

    async def release(self, fence: Fence) -> None:
        """As the port says."""
        row = self._state.leases.get(fence.peer)
        if row is None or row.epoch != fence.epoch:
            return
        # The epoch rises: a task of the owner that still runs writes nothing any more.
        self._raise(fence.peer, row)
        row.owner, row.attached, row.expires_at = None, False, self._state.now()

    async def all(self) -> Sequence[Lease]:
        """As the port says."""
        now = self._state.now()
        return [
            Lease(
                peer=peer,
                owner=row.owner,
                epoch=row.epoch,
                attached=row.attached,
                expires_at=row.expires_at,
            )
            for peer, row in sorted(self._state.leases.items())
            if row.owner is not None and row.expires_at > now
        ]

    def _raise(self, peer: PeerId, row: LeaseRow) -> None:
        row.epoch += 1
        for lane in self._state.lanes.values():
            for side in lane.sides.values():
                if side.peer == peer:
                    side.epoch = row.epoch
