"""Whose attempt is next, where many share so many at once: whoever has the fewest under way.

Attempts wait under a path of names, such as (kind, peer, lane). At each level the name with the
least under way goes first, and among those the one that has waited longest. So one with a long
backlog fills what others leave, and yields as soon as they come; one with many lanes has no more
than one with a single lane.

Pure bookkeeping: no clock, no tasks.

Source: design section 5 (fairness; backpressure by credits, never by buffering without bound).
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from relayer.steps.shares import Path

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Taken(Generic[T]):
    """An attempt whose turn it is; it counts as under way until ``Fewest.end``."""

    path: Path
    item: T
    weight: int


class Fewest(Generic[T]):
    """One level of names: the attempts under way, and those that wait."""

    def __init__(self) -> None:
        """Nothing is under way, nothing waits."""
        self._items: deque[tuple[T, int]] = deque()
        self._below: dict[str, Fewest[T]] = {}
        self._running: Counter[str] = Counter()
        """By name the weight of what is under way."""
        self._line: list[tuple[int, int, str]] = []
        """(weight under way, place, name), a heap. Each name that has something waiting has one
        entry that counts; those that it had before are of no use, and never more than those."""
        self._standing: dict[str, int] = {}
        """By name the place of the entry that counts."""
        self._places = 0
        self._waiting = 0

    def __len__(self) -> int:
        """How many attempts wait."""
        return self._waiting

    def put(self, path: Path, item: T, weight: int = 1) -> None:
        """An attempt waits under *path*; under way it has *weight*, 1 or more."""
        self._waiting += 1
        if not path:
            self._items.append((item, weight))
            return
        self._below.setdefault(path[0], Fewest()).put(path[1:], item, weight)
        if path[0] not in self._standing:
            self._stand(path[0])

    def take(self) -> Taken[T] | None:
        """The next attempt, under way now; None if none waits."""
        if not self._waiting:
            return None
        self._waiting -= 1
        if self._items:
            item, weight = self._items.popleft()
            return Taken((), item, weight)
        name = self._next()
        below = self._below[name]
        found = below.take()
        if found is None:
            raise AssertionError(name)
        self._running[name] += found.weight
        if below:
            self._stand(name)
        return Taken((name, *found.path), found.item, found.weight)

    def end(self, taken: Taken[T]) -> None:
        """The attempt is under way no more."""
        self._end(taken.path, taken.weight)

    def _end(self, path: Path, weight: int) -> None:
        if not path:
            return
        name, below = path[0], self._below[path[0]]
        below._end(path[1:], weight)  # noqa: SLF001 - of its own kind
        self._running[name] -= weight
        if not self._running[name]:
            del self._running[name]
        if below:
            self._stand(name)
        elif name not in self._running:
            del self._below[name]

    def _stand(self, name: str) -> None:
        """*name* stands behind those with as much under way, and nowhere else."""
        self._places += 1
        self._standing[name] = self._places
        heapq.heappush(self._line, (self._running[name], self._places, name))
        self._tidy()

    def _next(self) -> str:
        """The name whose turn it is; it stands in line no more."""
        while True:
            _, place, name = heapq.heappop(self._line)
            if self._standing.get(name) == place:
                del self._standing[name]
                self._tidy()
                return name

    def _tidy(self) -> None:
        """Most entries count. Each that goes was put in once, so this costs nothing by itself."""
        if len(self._line) > 2 * len(self._standing):
            self._line = [entry for entry in self._line if self._standing.get(entry[2]) == entry[1]]
            heapq.heapify(self._line)
