"""What transactions cost in gas, learned from what earlier ones used.

A transaction costs a base and something for each of its messages, by their kind. What is asked for
is the sum with a margin on top. One transaction tells a sum alone, so the difference between what
was expected and what was used is shared by all kinds in it, each in proportion to its part: upwards
at once, downwards slowly. Everything is an integer, and the same observations in the same order
give the same answers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BASE: Final = 20_000
"""Gas of a transaction without its messages, or less: what is missing here is learned with the
messages, so that a small transaction never makes many messages look cheap."""

MARGIN: Final = (5, 4)
"""What is asked for, as a share of what is expected."""

AFTER_RUNNING_OUT: Final = (3, 2)
"""What is asked for next, as a share of what was too little."""

MAX_COST: Final = 10**12
"""Of one message; more is never believed."""

_SLOWNESS = 4
"""One part in this many of a surplus is forgotten at each observation."""


class GasModel:
    """What is known of one chain's gas."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._costs: dict[str, int] = {}
        self._highest: dict[str, int] = {}
        """The most that each kind was once seen to cost. Messages that had their effect before cost
        less, and many of them must not make the next ones run out twice."""

    def estimate(self, kinds: Sequence[str]) -> int | None:
        """The gas to ask for, for messages of *kinds*; None while one of them is unknown.

        It may be more than a transaction is allowed: then they are too many for one.
        """
        expected = self._expected(kinds)
        return None if expected is None else _scaled(expected, MARGIN)

    def learned(self, kinds: Sequence[str], used: int) -> None:
        """A transaction of *kinds* that was executed, or simulated to its end, used *used* gas."""
        counts = Counter(kinds)
        if not self._begin(counts, used):
            parts = self._parts(counts)
            surplus = BASE + parts - used
            if surplus > 0:
                self._scale(counts, parts - surplus // _SLOWNESS)
                return
            self._scale(counts, parts - surplus)
        for kind in counts:
            self._highest[kind] = max(self._highest.get(kind, 0), self._costs[kind])

    def ran_out(self, kinds: Sequence[str], limit: int) -> None:
        """*limit* gas was too little for messages of *kinds*: more is asked for next time."""
        counts = Counter(kinds)
        wanted = _scaled(limit, AFTER_RUNNING_OUT)
        expected = self._expected(kinds)
        if expected is not None and _scaled(expected, MARGIN) >= wanted:
            return  # known already, from another transaction that ran out
        needed = _divided(wanted * MARGIN[1], MARGIN[0])
        if self._begin(counts, needed):
            return
        for kind in counts:
            self._keep(kind, max(self._costs[kind], self._highest.get(kind, 0)))
        self._scale(counts, max(needed - BASE, self._parts(counts)))

    def _begin(self, counts: Counter[str], used: int) -> bool:
        """Kinds that were unknown have a cost now; False where there were none.

        What the known ones leave of *used* is shared alike by the messages of the others.
        """
        unknown = [kind for kind in counts if kind not in self._costs]
        left = max(used - BASE - self._parts(counts), 0)
        share = _divided(left, max(sum([counts[kind] for kind in unknown]), 1))
        for kind in unknown:
            self._keep(kind, share)
        return bool(unknown)

    def _expected(self, kinds: Sequence[str]) -> int | None:
        counts = Counter(kinds)
        if any(kind not in self._costs for kind in counts):
            return None
        return BASE + self._parts(counts)

    def _parts(self, counts: Counter[str]) -> int:
        return sum([self._costs.get(kind, 0) * count for kind, count in counts.items()])

    def _scale(self, counts: Counter[str], wanted: int) -> None:
        """The costs of all kinds in *counts* come to *wanted* together, in their proportion."""
        parts = self._parts(counts)
        for kind in counts:
            self._keep(kind, _divided(self._costs[kind] * wanted, parts))

    def _keep(self, kind: str, cost: int) -> None:
        self._costs[kind] = min(max(cost, 1), MAX_COST)


def _scaled(value: int, share: tuple[int, int]) -> int:
    return _divided(value * share[0], share[1])


def _divided(value: int, by: int) -> int:
    """*value* / *by*, rounded up."""
    return -(-value // by)
