"""Which lane shows what next: the lanes of one session, their credits, and whose turn it is.

Pure bookkeeping around steps.py: no I/O, no clock. A lane is looked at only when it may have
something: after its chain was active for it, after a verdict, when a delay is over. So a session
with ten thousand quiet lanes costs nothing for them.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.sdk.steps import AskedAgain, Judged, Lane, Sent, Told, Wait, opened, step, wanted
from hub.core.errors import LimitExceeded

if TYPE_CHECKING:
    from adapters.sdk.steps import Effect
    from adapters.sdk.submission import LaneCursor, Verdict
    from hub.core.ids import ClientId
    from hub.core.lane import LaneKey, Side
    from hub.core.ranges import RangeSet
    from hub.core.time import Timestamp

    LaneId = tuple[LaneKey, Side]

BATCH: Final = 256
"""Most items of one frame."""
MAX_LANES: Final = 65_536
"""Lanes of one session."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A lane that may show something."""

    lane: Lane
    wanted: RangeSet
    limit: int
    """Most items that the credits and the frame have room for."""


class Outbox:
    """The lanes of one session."""

    def __init__(self, credits_granted: int) -> None:
        """No lanes, and room for *credits_granted* unanswered items."""
        self._room = credits_granted
        self._lanes: dict[LaneId, Lane] = {}
        self._by_client: dict[ClientId, list[LaneId]] = {}
        self._ready: dict[LaneId, None] = {}  # in the order of their turns
        self._frames: dict[int, tuple[LaneId | None, int]] = {}
        self._alarms: list[tuple[Timestamp, int, LaneId]] = []
        self._alarm_count = 0

    @property
    def room(self) -> int:
        """Items that may be sent now."""
        return self._room

    @property
    def is_idle(self) -> bool:
        """Whether every frame is answered."""
        return not self._frames

    @property
    def wakes_at(self) -> Timestamp | None:
        """When a delay ends next (monotonic ns); None if none runs."""
        return self._alarms[0][0] if self._alarms else None

    def lane(self, key: LaneKey, side: Side) -> Lane | None:
        """The lane as it stands."""
        return self._lanes.get((key, side))

    def lanes_of(self, client: ClientId) -> list[Lane]:
        """The lanes of the chain's own *client*."""
        return [self._lanes[lane_id] for lane_id in self._by_client.get(client, ())]

    def tell(self, cursor: LaneCursor, now: Timestamp) -> None:
        """The registry tells where a lane stands. Raises ``LimitExceeded``."""
        lane_id = (cursor.lane, cursor.side)
        lane = self._lanes.get(lane_id)
        if lane is None:
            if len(self._lanes) >= MAX_LANES:
                raise LimitExceeded(what="lanes", count=len(self._lanes) + 1, limit=MAX_LANES)
            lane = opened(cursor)
            self._by_client.setdefault(lane.client, []).append(lane_id)
        else:
            lane, _ = step(lane, Told(cursor), now)
        self._lanes[lane_id] = lane
        self._ready[lane_id] = None

    def grant(self, count: int) -> None:
        """The relayer has room for *count* more unanswered items."""
        self._room += count

    def wake(self, clients: frozenset[ClientId] | None) -> None:
        """The chain was active for *clients*; None means that it may have been for all."""
        if clients is None:
            self._ready.update(dict.fromkeys(self._lanes))
            return
        for client in clients:
            self._ready.update(dict.fromkeys(self._by_client.get(client, ())))

    def take(self, now: Timestamp) -> Turn | None:
        """The lane whose turn it is, taken out of the line; None if none may show anything."""
        while self._alarms and self._alarms[0][0] <= now:
            self._ready[heapq.heappop(self._alarms)[2]] = None
        while self._ready and self._room > 0:
            lane_id = next(iter(self._ready))
            del self._ready[lane_id]
            lane = self._lanes[lane_id]
            missing = wanted(lane, now)
            if missing:
                return Turn(lane, missing, min(BATCH, self._room))
        return None

    def put_back(self, lane: Lane) -> None:
        """*lane* has more to show, or could not: it stands at the end of the line."""
        self._ready[lane.key, lane.side] = None

    def sent(self, frame_id: int, lane: Lane, sequences: RangeSet, now: Timestamp) -> None:
        """A frame of *lane* goes out."""
        lane_id = (lane.key, lane.side)
        self._lanes[lane_id], _ = step(self._lanes[lane_id], Sent(frame_id, sequences), now)
        self._charge(frame_id, lane_id, len(sequences))

    def charge(self, frame_id: int, count: int) -> None:
        """A frame of *count* items goes out that no lane waits for."""
        self._charge(frame_id, None, count)

    def judge(
        self, verdict: Verdict, chance: int, now: Timestamp
    ) -> tuple[Lane, list[Effect]] | None:
        """What a verdict means for its frame's lane; None for a frame that no lane waits for."""
        lane_id, count = self._frames.pop(verdict.frame_id, (None, 0))
        self._room += count
        if lane_id is None:
            return None
        before = self._lanes[lane_id]
        lane, effects = step(before, Judged(verdict, chance), now)
        self._lanes[lane_id] = lane
        if before.tries or lane.tries:
            self._ready[lane_id] = None
        for effect in effects:
            if isinstance(effect, Wait):
                self._alarm_count += 1
                heapq.heappush(self._alarms, (effect.due, self._alarm_count, lane_id))
        return lane, effects

    def ask_again(self, client: ClientId, sequence: int, side: Side, now: Timestamp) -> None:
        """The relayer lacks a sequence that exists on the chain."""
        for lane_id in self._by_client.get(client, ()):
            if lane_id[1] is side:
                self._lanes[lane_id], _ = step(self._lanes[lane_id], AskedAgain(sequence), now)
                self._ready[lane_id] = None

    def _charge(self, frame_id: int, lane_id: LaneId | None, count: int) -> None:
        self._room -= count
        self._frames[frame_id] = (lane_id, count)
