"""What stands committed or written, by own client, and in which block each of it came.

Two things are known of a sequence apart from each other: that it stands (its block was followed, or
the chain listed it), and where it is located (the height of its block). Contents are kept for
blocks, newest use last, within a bound of bytes; a block that fell out is read again when its turn
comes, once for all that it holds. So a backlog of any length costs a few ranges of memory.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

from hub.core.ranges import EMPTY, RangeSet

if TYPE_CHECKING:
    from collections.abc import Collection

    from adapters.cosmos.blocks.events import BlockFacts

MAX_BLOCKS: Final = 2_048
"""Blocks that one track remembers; what came in older ones is searched for when it is wanted."""
MAX_CONTENT_BYTES: Final = 64 * 1024 * 1024
"""Contents kept of all blocks together; the newest block is kept whatever its size."""
_GONE_BLOCKS: Final = 64
"""Blocks whose settled packets are remembered, against a list that is older than they are: what
was settled stands never again."""
_FIRST_PRUNING: Final = 64


class Track:
    """What stands for one client on one side: its packets, or the acknowledgements it wrote."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.standing = EMPTY
        """Known to stand after the newest block that was seen."""
        self.listed = EMPTY
        """Sequences that the chain was asked for; from then on its blocks tell."""
        self.missing = EMPTY
        """Sequences that stand, and whose block cannot be had."""
        self._located = EMPTY
        self._blocks: dict[int, RangeSet] = {}
        self._heights: list[int] = []
        self._gone: deque[RangeSet] = deque(maxlen=_GONE_BLOCKS)
        self._last_sent = 0
        self._prune_at = _FIRST_PRUNING

    def see_sent(self, height: int, came: Collection[int], gone: Collection[int]) -> RangeSet:
        """A block sent *came* and settled *gone*; sequences that it must have skipped.

        A chain gives out sequences without a gap, so a gap says that a node left events out. Those
        sequences are asked for again.
        """
        came_set, gone_set = RangeSet.of(came), RangeSet.of(gone)
        first = self._last_sent + 1 if self._last_sent else came_set.ranges[0][0] if came else 0
        skipped = came_set.holes(first)
        self.listed -= skipped
        self._last_sent = max(self._last_sent, came_set.end - 1)
        self._see(height, came_set)
        if gone_set:
            self._gone.append(gone_set)
            self.standing -= gone_set
            self._located -= gone_set
        return skipped

    def see_written(self, height: int, came: Collection[int]) -> None:
        """A block wrote the acknowledgements *came*."""
        self._see(height, RangeSet.of(came))

    def add_listed(self, found: RangeSet) -> None:
        """The chain says that *found* stand."""
        for gone in self._gone:
            found -= gone
        self.standing |= found

    def locate(self, height: int, sequences: Collection[int]) -> RangeSet:
        """Those of *sequences* that stand, now known to have come in the block at *height*."""
        found = (RangeSet.of(sequences) & self.standing) - self._located
        self._put(height, found)
        self.missing -= found
        return found

    def is_sought(self, sequence: int) -> bool:
        """Whether *sequence* stands and its block is not known."""
        return sequence in self.standing and sequence not in self._located

    def ready(self, wanted: RangeSet, at: int, limit: int) -> list[tuple[int, RangeSet]]:
        """The first *limit* of *wanted* that stand and came before the block *at*, by height."""
        left = (wanted & self._located) - self.missing
        for height in reversed(self._heights):
            if height < at:
                break
            left -= self._blocks[height]
        left = left.take(limit)
        found: list[tuple[int, RangeSet]] = []
        for height in reversed(self._heights):
            if not left:
                break
            here = self._blocks[height] & left
            if here:
                found.append((height, here))
                left -= here
        return found

    def sought(self, wanted: RangeSet, limit: int) -> RangeSet:
        """The first *limit* of *wanted* that stand somewhere not known yet."""
        return ((wanted & self.standing) - self._located - self.missing).take(limit)

    def _see(self, height: int, came: RangeSet) -> None:
        if came:
            self.standing |= came
            self._put(height, came - self._located)
        if len(self._heights) >= self._prune_at:
            self._prune()

    def _put(self, height: int, came: RangeSet) -> None:
        if not came:
            return
        self._located |= came
        if height in self._blocks:
            self._blocks[height] |= came
        else:
            self._blocks[height] = came
            insort(self._heights, height)

    def _prune(self) -> None:
        """Blocks of which nothing stands any more go, and the oldest where too many are left."""
        kept = [height for height in self._heights if self._blocks[height] & self._located]
        if len(kept) >= MAX_BLOCKS:
            for height in kept[: MAX_BLOCKS // 2]:
                self._located -= self._blocks[height]
            kept = kept[MAX_BLOCKS // 2 :]
        self._blocks = {height: self._blocks[height] for height in kept}
        self._heights = kept
        self._prune_at = min(MAX_BLOCKS, max(_FIRST_PRUNING, 2 * len(kept)))


class BlockCache:
    """What blocks did, as many of them as the bound allows; the one used last goes last."""

    def __init__(self, limit: int = MAX_CONTENT_BYTES) -> None:
        """Room for contents of *limit* bytes."""
        self._limit = limit
        self._blocks: OrderedDict[int, tuple[BlockFacts, int]] = OrderedDict()
        self._size = 0

    def get(self, height: int) -> BlockFacts | None:
        """What the block at *height* did, if it is kept."""
        if height not in self._blocks:
            return None
        self._blocks.move_to_end(height)
        return self._blocks[height][0]

    def put(self, facts: BlockFacts) -> None:
        """*facts* are kept, in place of what is used least."""
        _, before = self._blocks.pop(facts.height, (None, 0))
        size = facts.size
        self._blocks[facts.height] = (facts, size)
        self._size += size - before
        while self._size > self._limit and len(self._blocks) > 1:
            _, (_, freed) = self._blocks.popitem(last=False)
            self._size -= freed
