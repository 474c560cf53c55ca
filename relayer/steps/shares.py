"""Whose work is next, where many want more than there is: surplus round robin over a tree of names.

Work waits under a path of names, such as (peer, kind, lane). At each level everyone who has work
waiting gets the same quantum in a round, times its weight, and is served until that is spent. What
work costs may be known only afterwards: what it cost beyond what was said is owed, and paid in
later rounds, also by those who want nothing meanwhile: then they are forgotten. So nobody waits for
more than one round of the others, nobody gains by asking often, as long as anything waits there is
something to do, and nobody is kept in mind who neither wants nor owes anything.

Pure bookkeeping: no clock, no tasks, no threads.

Source: design section 5 (deficit round robin); Shreedhar and Varghese 1995, "Efficient fair queuing
using deficit round robin"; Adiseshu, Parulkar and Varghese 1996 (surplus round robin).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")
Path = tuple[str, ...]

_NO_WEIGHTS: Final[Mapping[str, int]] = {}


class Shares(Generic[T]):
    """Work that waits, and what everyone has had of late."""

    def __init__(self, quantum: int, weights: Mapping[str, int] = _NO_WEIGHTS) -> None:
        """*quantum* is in the unit of the costs; a name without a weight has 1."""
        self._root: _Branch[T] = _Branch(quantum, weights)
        self._count = 0

    def __len__(self) -> int:
        """How much waits."""
        return self._count

    def put(self, path: Path, item: T, cost: int) -> None:
        """*item* waits under *path*, behind what waits there; it costs *cost*, 1 or more."""
        self._root.put(path, item, cost)
        self._count += 1

    def take(self) -> tuple[Path, T] | None:
        """What is next, with its path; None if nothing waits."""
        if not self._count:
            return None
        self._count -= 1
        path, item, _ = self._root.take()
        if not self._count:
            self._root.forget()
        return path, item

    def charge(self, path: Path, cost: int) -> None:
        """What was taken under *path* cost so much more than was said; less, if it is below 0."""
        if self._count:
            self._root.charge(path, cost)


class _Branch(Generic[T]):
    """The names of one level: those with work stand in line, served in this round or in a later."""

    def __init__(self, quantum: int, weights: Mapping[str, int]) -> None:
        self._quantum = quantum
        self._weights = weights
        self._served: OrderedDict[str, _Branch[T]] = OrderedDict()
        """Those that have something left of this round."""
        self._later: OrderedDict[str, _Branch[T]] = OrderedDict()
        self._idle: dict[str, _Branch[T]] = {}
        """Names without work that owe something, until it is paid."""
        self._balance: dict[str, int] = {}
        """What is left of a name's round, or below 0 what it owes; nothing is 0."""
        self._items: deque[tuple[T, int]] = deque()

    @property
    def is_empty(self) -> bool:
        return not (self._served or self._later or self._items)

    def put(self, path: Path, item: T, cost: int) -> None:
        if not path:
            self._items.append((item, cost))
            return
        below = self._find(path[0])
        if below is None:
            below = self._idle.pop(path[0], None) or _Branch(self._quantum, self._weights)
            self._later[path[0]] = below
        below.put(path[1:], item, cost)

    def take(self) -> tuple[Path, T, int]:
        if self._items:
            item, cost = self._items.popleft()
            return (), item, cost
        if not self._served:
            self._begin_round()
        name, below = next(iter(self._served.items()))
        path, item, cost = below.take()
        self.spend(name, cost)
        if below.is_empty:
            self._leave(name)
        return (name, *path), item, cost

    def charge(self, path: Path, cost: int) -> None:
        if not path:
            return
        name = path[0]
        below = self._find(name)
        if below is None:
            below = self._idle.setdefault(name, _Branch(self._quantum, self._weights))
        self.spend(name, cost)
        below.charge(path[1:], cost)

    def spend(self, name: str, cost: int) -> None:
        """*name* has had so much of its round, or of rounds to come."""
        self._balance[name] = self._balance.get(name, 0) - cost
        if name in self._served and self._balance[name] <= 0:
            self._later[name] = self._served.pop(name)

    def forget(self) -> None:
        """Nothing waits anywhere: everyone begins anew."""
        self._idle.clear()
        self._balance.clear()

    def _begin_round(self) -> None:
        """A round begins, or as many at once as the first name needs that owes less than others."""
        balance, line = self._balance, self._later
        rounds = min(-balance.get(name, 0) // self._share(name) + 1 for name in line)
        for name in [*line]:
            balance[name] = balance.get(name, 0) + rounds * self._share(name)
            if balance[name] > 0:
                self._served[name] = line.pop(name)
        # As often as they have spent a round's share beforehand, so it costs no more than that did.
        for name in [*self._idle]:
            balance[name] += rounds * self._share(name)
            if balance[name] >= 0:
                del balance[name], self._idle[name]

    def _share(self, name: str) -> int:
        return self._quantum * self._weights.get(name, 1)

    def _find(self, name: str) -> _Branch[T] | None:
        return self._served.get(name) or self._later.get(name)

    def _leave(self, name: str) -> None:
        """*name* has no work: what is left of its round is gone, what it owes is not."""
        below = self._served.pop(name, None) or self._later.pop(name)
        if self._balance[name] >= 0:
            del self._balance[name]
        else:
            self._idle[name] = below
