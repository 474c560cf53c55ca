"""The frames of one lane under way: when each was due, and how far it has come."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.lane import LaneKey
    from tests.bench.plan import Phase, Slot


class Frame:
    """Packets that travel together, from their source to its proven acknowledgement."""

    __slots__ = ("acknowledged", "batch", "due_at", "end", "first", "received", "reply")

    def __init__(self, slot: Slot, batch: bytes, reply: bytes) -> None:
        self.first = slot.first
        self.end = slot.first + slot.count
        self.batch = batch
        """Its ``PacketBatch``."""
        self.reply = reply
        """Its ``AcknowledgementBatch``."""
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
    """How long packets took: nanoseconds, each for a number of packets."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int]] = []
        """(nanoseconds, packets)."""

    def add(self, nanoseconds: int, packets: int) -> None:
        self.entries.append((nanoseconds, packets))

    def quantile(self, per_mille: int) -> int:
        """The time (ns) that so many of a thousand packets did not exceed; 0 of nothing."""
        return quantile(self.entries, per_mille)


def quantile(entries: Sequence[tuple[int, int]], per_mille: int) -> int:
    """The smallest value that *per_mille* of a thousand items do not exceed, by nearest rank.

    Each entry is (value, number of items); 0 without entries.
    """
    total = sum(count for _, count in entries)
    rank = max(1, -(-total * per_mille // 1000))
    passed = 0
    for value, count in sorted(entries):
        passed += count
        if passed >= rank:
            return value
    return 0


class LaneTraffic:
    """All frames of one lane, in order of their sequences."""

    def __init__(self, lane: LaneKey, frames: Sequence[Frame]) -> None:
        self.lane = lane
        self.frames = frames
        self.under_way = 0
        """Packets sent and not acknowledged yet."""
        self.moved = asyncio.Event()
        """Set whenever packets were acknowledged."""
        self.latencies = Latencies()
        self.resent = 0
        """Packets that the relayer handed over once more."""
        self._firsts = [frame.first for frame in frames]

    def frame_of(self, sequence: int) -> Frame:
        """The frame that holds *sequence*."""
        frame = self.frames[bisect_right(self._firsts, sequence) - 1]
        if not frame.first <= sequence < frame.end:
            raise LookupError(f"{self.lane.name} sent no packet {sequence}")
        return frame

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


def phase_frames(
    traffic: LaneTraffic, phases: Sequence[Phase], lane: int, number: int
) -> Sequence[Frame]:
    """The frames of *traffic*, the lane of that index, in the phase of that number."""
    start = sum(len(phase.slots[lane]) for phase in phases[:number])
    return traffic.frames[start : start + len(phases[number].slots[lane])]
