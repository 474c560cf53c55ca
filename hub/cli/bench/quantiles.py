"""Quantiles of values of which each stands for a number of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


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
