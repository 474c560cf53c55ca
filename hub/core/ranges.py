"""Sets of sequences as sorted ranges: how a lane remembers what is done.

The same value stands in Postgres as an ``int8multirange``, in frames as ``SequenceRange`` rows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class RangeSet:
    """Integers as half-open ranges: sorted, not empty, never touching each other."""

    ranges: tuple[tuple[int, int], ...] = ()
    """(first, first integer after) of each range."""

    @classmethod
    def of(cls, numbers: Iterable[int]) -> RangeSet:
        """The set of *numbers*, in any order, repeated or not."""
        distinct = set(numbers)
        if not distinct:
            return cls()
        low, high = min(distinct), max(distinct) + 1
        if high - low == len(distinct):  # nearly always
            return cls(((low, high),))
        found: list[list[int]] = []
        for number in sorted(distinct):
            if found and found[-1][1] == number:
                found[-1][1] = number + 1
            else:
                found.append([number, number + 1])
        return cls(tuple([(low, high) for low, high in found]))

    @classmethod
    def span(cls, first: int, end: int) -> RangeSet:
        """The integers from *first* up to, not including, *end*; empty where they cross."""
        return cls(((first, end),)) if first < end else cls()

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __len__(self) -> int:
        return sum(high - low for low, high in self.ranges)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.ranges, number, key=_low) - 1
        return at >= 0 and number < self.ranges[at][1]

    def __iter__(self) -> Iterator[int]:
        for low, high in self.ranges:
            yield from range(low, high)

    def __or__(self, other: RangeSet) -> RangeSet:
        """The integers in either."""
        if not other.ranges:
            return self
        if not self.ranges:
            return other
        if len(other.ranges) == 1:
            return self._with(*other.ranges[0])
        merged: list[tuple[int, int]] = []
        for low, high in sorted(self.ranges + other.ranges):
            if merged and low <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return RangeSet(tuple(merged))

    def __sub__(self, other: RangeSet) -> RangeSet:
        """The integers in this one alone."""
        if self._is_apart(other):
            return self
        kept: list[tuple[int, int]] = []
        for low, high in self.ranges:
            start = low
            for cut_low, cut_high in other.overlapping(low, high):
                if start < cut_low:
                    kept.append((start, cut_low))
                start = max(start, cut_high)
            if start < high:
                kept.append((start, high))
        return RangeSet(tuple(kept))

    def __and__(self, other: RangeSet) -> RangeSet:
        """The integers in both."""
        if self._is_apart(other):
            return EMPTY
        both = [
            (max(low, other_low), min(high, other_high))
            for low, high in self.ranges
            for other_low, other_high in other.overlapping(low, high)
        ]
        return RangeSet(tuple(both))

    def overlapping(self, first: int, end: int) -> tuple[tuple[int, int], ...]:
        """The ranges that share an integer with [*first*, *end*)."""
        at = bisect_right(self.ranges, first, key=_high)
        stop = bisect_left(self.ranges, end, key=_low)
        return self.ranges[at:stop]

    def holes(self, first: int) -> RangeSet:
        """The integers from *first* up to the last one of the set that are not in it."""
        if not self.ranges:
            return RangeSet()
        return RangeSet.span(first, self.ranges[-1][1]) - self

    def take(self, count: int) -> RangeSet:
        """The *count* lowest integers, or all."""
        taken: list[tuple[int, int]] = []
        for low, high in self.ranges:
            if count <= 0:
                break
            taken.append((low, min(high, low + count)))
            count -= high - low
        return RangeSet(tuple(taken))

    @property
    def first(self) -> int:
        """The lowest integer; the set must not be empty."""
        return self.ranges[0][0]

    @property
    def end(self) -> int:
        """The integer after the highest one; 0 of an empty set."""
        return self.ranges[-1][1] if self.ranges else 0

    def _is_apart(self, other: RangeSet) -> bool:
        """Whether one ends before the other begins: so it is with most sets that are compared."""
        mine, theirs = self.ranges, other.ranges
        return not mine or not theirs or mine[-1][1] <= theirs[0][0] or theirs[-1][1] <= mine[0][0]

    def _with(self, low: int, high: int) -> RangeSet:
        """The set with [*low*, *high*) added, found by bisection: the way that a lane grows."""
        at = bisect_left(self.ranges, low, key=_high)
        stop = bisect_right(self.ranges, high, key=_low)
        if at < stop:
            low = min(low, self.ranges[at][0])
            high = max(high, self.ranges[stop - 1][1])
        return RangeSet((*self.ranges[:at], (low, high), *self.ranges[stop:]))


EMPTY = RangeSet()
"""No integers."""


def _low(span: tuple[int, int]) -> int:
    return span[0]


def _high(span: tuple[int, int]) -> int:
    return span[1]
