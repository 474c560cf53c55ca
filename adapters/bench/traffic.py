"""The frames of one lane under way: when each was due, and how far it has come."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.bench.workload import Slot
    from hub.core.lane import LaneKey

UNIT: Final = 1000
"""What latencies are told in (ns)."""


class Frame:
    """Packets that travel together, from their source to its proven acknowledgement."""

    __slots__ = ("acknowledged", "batch", "chunk", "due_at", "end", "first", "received", "reply")

    def __init__(self, slot: Slot, batch: bytes, reply: bytes, chunk: int = 0) -> None:
        self.first = slot.first
        self.end = slot.first + slot.count
        self.batch = batch
        """Its ``PacketBatch``."""
        self.reply = reply
        """Its ``AcknowledgementBatch``."""
        self.chunk = chunk
        """The part of the load whose roots prove both."""
        self.due_at = 0
        self.received: set[int] = set()
        """Sequences executed at the destination."""
        self.acknowledged: set[int] = set()
        """Sequences whose acknowledgement was executed at the source."""

    @property
    def count(self) -> int:
        """Packets in it."""
        return self.end - self.first


class Latencies:
    """How long packets took: microseconds, and how many took so long."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def add(self, nanoseconds: int, packets: int) -> None:
        """So many *packets* took so long, to the next whole microsecond."""
        self.counts[-(-nanoseconds // UNIT)] += packets

    @property
    def entries(self) -> list[tuple[int, int]]:
        """(microseconds, packets), rising."""
        return sorted(self.counts.items())


class LaneTraffic:
    """All frames of one lane, in order of their sequences."""

    def __init__(self, lane: LaneKey) -> None:
        """The traffic of *lane*, which has no frames yet."""
        self.lane = lane
        self.frames: list[Frame] = []
        self.under_way = 0
        """Packets sent and not acknowledged yet."""
        self.moved = asyncio.Event()
        """Set whenever packets were acknowledged."""
        self.latencies = Latencies()
        self.resent = 0
        """Packets that the relayer handed over once more."""
        self._firsts: list[int] = []

    def extend(self, frames: Sequence[Frame]) -> None:
        """*frames* follow; those that are acknowledged long since are forgotten but for a few."""
        self.frames += frames
        self._firsts = [frame.first for frame in self.frames]

    def forget(self, chunk: int) -> None:
        """The contents of frames before *chunk* are dropped: all of them are acknowledged."""
        kept = [frame for frame in self.frames if frame.chunk >= chunk]
        self.frames = kept
        self._firsts = [frame.first for frame in kept]

    def frame_of(self, sequence: int) -> Frame:
        """The frame that holds *sequence*. Raises ``LookupError``."""
        frame = self.frames[bisect_right(self._firsts, sequence) - 1] if self.frames else None
        if frame is None or not frame.first <= sequence < frame.end:
            raise LookupError(f"{self.lane.name} sent no packet {sequence}")
        return frame

    def frames_from(self, first: int, count: int) -> Sequence[Frame]:
        """*count* frames, the first of which begins with the sequence *first*."""
        start = bisect_right(self._firsts, first) - 1
        return self.frames[start : start + count]

    def sent(self, frame: Frame, due_at: int) -> None:
        """*frame* was to leave at *due_at* (monotonic ns)."""
        frame.due_at = due_at
        self.under_way += frame.count

    def acknowledged(self, frame: Frame, sequences: Sequence[int], now: int) -> None:
        """The proven acknowledgements of *sequences* have reached the source."""
        new = len(set(sequences) - frame.acknowledged)
        frame.acknowledged.update(sequences)
        self.resent += len(sequences) - new
        if new:
            self.latencies.add(now - frame.due_at, new)
            self.under_way -= new
            self.moved.set()

    def start(self) -> None:
        """What is measured from now on belongs to a new phase."""
        self.latencies = Latencies()
        self.resent = 0
