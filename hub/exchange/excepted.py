"""Watch packets with an exception of one kind: those alone are read that may stand otherwise.

Of each no more is held than a digest of what its exception and its lane's rows say, for the packets
and their answers may be large, and few of them change from one look to the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from hub.core.errors import LimitExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from hub.core.lane import LaneKey, LaneView
    from hub.exchange.listing import ListedPacket
    from hub.ports.packets import ExceptionFilter, ListedException
    from hub.ports.registry import Registry

Packet = tuple["LaneKey", int]
_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Look:
    """What is otherwise than at the look before."""

    changed: Sequence[ListedException]
    """Those that may stand otherwise, or are new."""
    gone: Sequence[Packet]
    """Those that have no such exception any more."""


class Excepted:
    """The packets with an exception of one kind, look after look."""

    def __init__(self, registry: Registry, wanted: ExceptionFilter, limit: int) -> None:
        """Those that are as *wanted*; never more than *limit*."""
        self._registry = registry
        self._wanted = wanted
        self._limit = limit
        self._marks: dict[Packet, bytes] = {}
        self._outcomes: dict[Packet, int] = {}
        """Indexes of the outcomes, of packets that have one."""

    async def look(self) -> Look:
        """What has changed since the look before. Raises ``LimitExceeded``."""
        marks: dict[Packet, bytes] = {}
        changed: list[ListedException] = []
        views: dict[LaneKey, LaneView] = {}
        async for one in self._all():
            packet = one.lane, one.exception.sequence
            if len(marks) == self._limit:
                what = f"{self._wanted.kind} packets of one watch"
                raise LimitExceeded(what=what, count=len(marks) + 1, limit=self._limit)
            if one.lane not in views:
                views[one.lane] = await self._view(one.lane)
            marks[packet] = self._mark(one, views[one.lane])
            if self._marks.get(packet) != marks[packet]:
                changed.append(one)
        gone = [packet for packet in self._marks if packet not in marks]
        for packet in gone:
            self._outcomes.pop(packet, None)
        self._marks = marks
        return Look(changed, gone)

    def learn(self, read: Iterable[ListedPacket]) -> None:
        """*read* is how the changed ones stand; whether an outcome is executed is seen from now."""
        for one in read:
            if one.standing is not None and one.standing.outcome is not None:
                index = one.standing.outcome.outcome_index
                self._outcomes[one.lane, one.sequence] = index

    async def _all(self) -> AsyncIterator[ListedException]:
        after = "", 0
        while True:
            page = await self._registry.exceptions.page(self._wanted, after, _AT_ONCE)
            for one in page:
                yield one
            if len(page) < _AT_ONCE:
                return
            after = str(page[-1].lane), page[-1].exception.sequence

    async def _view(self, key: LaneKey) -> LaneView:
        lane = await self._registry.lanes.get(key)
        return await self._registry.lanes.view(lane.lane_id)

    def _mark(self, one: ListedException, view: LaneView) -> bytes:
        """A digest of all that may change; the packet and its outcome are what they are."""
        sequence = one.exception.sequence
        index = self._outcomes.get((one.lane, sequence))
        standing = (
            sequence in view.source.done,
            sequence in view.destination.progress,
            sequence in view.destination.done,
            index is not None and index in view.source.progress,
        )
        return sha256(repr((one.exception, standing)).encode()).digest()[:16]
