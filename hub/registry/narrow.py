"""Sets of a lane's narrow rows: at most 64 ranges each, whatever comes in whatever order.

When a set would have more ranges, its lowest holes are closed: the row counts them as done, and
what is truly missing is remembered beside it. Closed holes of accepted sequences are the exceptions
of kind HOLE. Both registries keep their sets by these rules.

Source: design section 5, "At most 64 ranges".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.core.ranges import EMPTY, RangeSet

MAX_RANGES: Final = 64
"""A row with more would be stored out of line, and every update would rewrite it twice."""
RANGES_AFTER_CLOSING: Final = 32
"""Closing is rare because it makes room for more than one new range."""
MAX_HOLES: Final = 1024
"""Closed holes of accepted sequences, counted as sequences: each is an exception."""


MAX_END: Final = 2**63 - 1
"""What comes after a number of a set must be a 64-bit integer too."""


@dataclass(frozen=True, slots=True)
class NarrowSet:
    """A set as a row keeps it."""

    stored: RangeSet = EMPTY
    """At most ``MAX_RANGES`` ranges."""
    closed: RangeSet = EMPTY
    """What *stored* holds, but the set does not."""

    @property
    def truth(self) -> RangeSet:
        """The set itself."""
        return self.stored - self.closed if self.closed else self.stored

    def add(self, new: RangeSet, needless: RangeSet = EMPTY) -> NarrowSet:
        """The set with *new* in it; holes in *needless* may be forgotten when they are closed."""
        stored = self.stored | new
        closed = self.closed - new if self.closed else self.closed
        count = len(stored.ranges)
        if count > MAX_RANGES:
            last = count - RANGES_AFTER_CLOSING
            low, high = stored.ranges[0][0], stored.ranges[last][1]
            lowest = RangeSet(stored.ranges[: last + 1])
            closed |= RangeSet.span(low, high) - lowest - needless
            stored |= RangeSet.span(low, high)
        return NarrowSet(stored, closed)

    def remove(self, gone: RangeSet) -> NarrowSet:
        """The set without *gone*; where that would make too many ranges, closed holes are it."""
        stored = self.stored - gone
        if len(stored.ranges) <= MAX_RANGES:
            return NarrowSet(stored, self.closed - gone)
        return NarrowSet(self.stored, self.closed | (gone & self.stored))
