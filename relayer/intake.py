"""Frames of one session that wait for their verdict, in fair turns of its lanes.

Headers and misbehaviour go first, in their order: whatever is proven needs them. What ends packets,
acknowledgements and absences, has a share of its own beside new packets, four items to one where
both wait; so value is never stuck behind new traffic. Within a lane frames keep their order.

Source: reliability notes section 6 (fairness: a share reserved for acks and timeouts).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from hub.core.lane import MAX_LANE_NAME
from hub.wire.frames import MAX_ITEMS, item_count
from relayer.steps.shares import Shares

if TYPE_CHECKING:
    from ydhub.relay.v1 import relay_pb2 as pb

    from relayer.steps.shares import Path

PACKETS: Final = "packets"
OUTCOMES: Final = "outcomes"
OUTCOMES_WEIGHT: Final = 4
TOGETHER: Final = 64
"""Frames of headers."""


class Intake:
    """The line of one session; bounded by the credits."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._first: deque[pb.AdapterFrame] = deque()
        self._items: Shares[pb.AdapterFrame] = Shares(MAX_ITEMS, {OUTCOMES: OUTCOMES_WEIGHT})
        self._filled = asyncio.Event()

    def qsize(self) -> int:
        """Frames that wait."""
        return len(self._first) + len(self._items)

    def put_nowait(self, frame: pb.AdapterFrame) -> None:
        """*frame* waits."""
        path = _path(frame)
        if path:
            self._items.put(path, frame, min(max(1, item_count(frame)), MAX_ITEMS))
        else:
            self._first.append(frame)
        self._filled.set()

    def headers(self) -> list[pb.AdapterFrame]:
        """The frames of headers that are next, as many as may be worked on together."""
        found: list[pb.AdapterFrame] = []
        while self._first and len(found) < TOGETHER and self._first[0].HasField("headers"):
            found.append(self._first.popleft())
        return found

    async def get(self) -> pb.AdapterFrame:
        """The next frame, as soon as there is one."""
        while True:
            if self._first:
                return self._first.popleft()
            found = self._items.take()
            if found is not None:
                return found[1]
            self._filled.clear()
            await self._filled.wait()


def _path(frame: pb.AdapterFrame) -> Path:
    """The kind and the lane whose share the frame takes; empty where it goes first."""
    match frame.WhichOneof("body"):
        case "packets":
            return PACKETS, _share(frame.packets.lane)
        case "acknowledgements":
            return OUTCOMES, _share(frame.acknowledgements.lane)
        case "absence":
            return OUTCOMES, _share(frame.absence.lane)
        case _:
            return ()


def _share(lane: str) -> str:
    """*lane* as it was sent; what is longer than any lane has one share, until it is refused."""
    return lane if len(lane) <= MAX_LANE_NAME else ""
