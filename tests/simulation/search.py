"""Every interleaving of the small exchange, up to a number of faults: each state is seen once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from hub.core.lane import Order
from tests.simulation.model import Broken
from tests.simulation.moves import check, check_over, happen, key, moves
from tests.simulation.small import LONG, SHORT, Small

if TYPE_CHECKING:
    from tests.simulation.moves import Move

MOST_MOVES = 3000
"""A walk that takes more never ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How far a search goes."""

    name: str
    timeouts: tuple[int, ...]
    order: Order = Order.UNORDERED
    crash: int = 0
    detach: int = 0
    late: int = 0
    orphan: int = 0
    early: int = 0

    def world(self) -> Small:
        """Where it begins."""
        return Small.opened(
            self.timeouts,
            self.order,
            crash=self.crash,
            detach=self.detach,
            late=self.late,
            orphan=self.orphan,
            early=self.early,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found."""

    scope: Scope
    states: int
    moves: int
    deepest: int
    ends: int
    took_ms: int
    broken: Broken | None = None
    path: tuple[Move, ...] = ()
    """From the beginning to what is broken."""


@dataclass(slots=True)
class _Graph:
    """States by number, and how they were come by."""

    numbers: dict[tuple[int, ...], int]
    came: list[tuple[int, Move]]
    """By number: a state before it, and the move from there."""
    before: list[list[int]]
    """By number: all states before it."""
    ends: list[int]
    moves: int = 0

    def enter(self, name: tuple[int, ...], origin: int, move: Move) -> int | None:
        """The number of a state that is new; None where it was seen before."""
        self.moves += 1
        known = self.numbers.get(name)
        if known is not None:
            self.before[known].append(origin)
            return None
        number = self.numbers[name] = len(self.came)
        self.came.append((origin, move))
        self.before.append([origin])
        return number

    def path(self, at: int) -> list[Move]:
        """The moves from the beginning to the state *at*."""
        found: list[Move] = []
        while at > 0:
            at, move = self.came[at]
            found.append(move)
        return found[::-1]

    def endless(self) -> int | None:
        """A state from which no end can be reached; None if there is none."""
        reach, todo = set(self.ends), list(self.ends)
        while todo:
            for origin in self.before[todo.pop()]:
                if origin not in reach:
                    reach.add(origin)
                    todo.append(origin)
        return next((at for at in range(len(self.came)) if at not in reach), None)


def search(scope: Scope, limit: int = 5_000_000) -> Found:
    """All states of *scope*, breadth first, so that the path to what is broken is a shortest one.

    From every state the end, where all is over, must be in reach. Raises ``RuntimeError`` where
    there are more than *limit* states.
    """
    began = time.perf_counter()
    start = scope.world()
    graph = _Graph({key(start): 0}, [(0, ("begin",))], [[]], [])
    todo, deepest = [(start, 0)], 0
    broken: tuple[Broken, list[Move]] | None = None
    while todo and broken is None:
        deepest += 1
        following: list[tuple[Small, int]] = []
        for world, number in todo:
            broken = _expand(graph, world, number, following)
            if broken is not None:
                break
        todo = following
        if len(graph.came) > limit:
            raise RuntimeError(f"{scope.name}: more than {limit} states")
    if broken is None and (at := graph.endless()) is not None:
        broken = Broken("every packet ends", "no end is in reach"), graph.path(at)
    return Found(
        scope=scope,
        states=len(graph.came),
        moves=graph.moves,
        deepest=deepest,
        ends=len(graph.ends),
        took_ms=int((time.perf_counter() - began) * 1000),
        broken=broken[0] if broken else None,
        path=tuple(broken[1]) if broken else (),
    )


def _expand(
    graph: _Graph, world: Small, number: int, following: list[tuple[Small, int]]
) -> tuple[Broken, list[Move]] | None:
    """What is broken after one more move, and the way there; states that are new *follow*."""
    found = moves(world)
    taken: list[Move] = []
    try:
        if not found:
            graph.ends.append(number)
            check_over(world)
        for move in found:
            taken = [move]
            after = world.fork()
            happen(after, move)
            check(after)
            new = graph.enter(key(after), number, move)
            if new is not None:
                following.append((after, new))
    except Broken as error:
        return error, graph.path(number) + taken
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What one walk came to."""

    seed: int
    moves: int
    broken: str = ""
    promise: str = ""
    path: tuple[Move, ...] = ()


def walk(seed: int) -> Walk:
    """What became of one walk through a larger exchange."""
    chance = Random(seed)
    world, path = _wide(chance).world(), list[Any]()
    try:
        while found := moves(world):
            move = chance.choice(found)
            path.append(move)
            happen(world, move)
            check(world)
            if len(path) > MOST_MOVES:
                _never_ends(world)
        check_over(world)
    except Broken as error:
        return Walk(
            seed=seed, moves=len(path), broken=str(error), promise=error.promise, path=tuple(path)
        )
    return Walk(seed=seed, moves=len(path), path=tuple(path))


def _wide(chance: Random) -> Scope:
    timeouts = tuple([chance.choice((SHORT, LONG)) for _ in range(chance.randrange(1, 13))])
    return Scope(
        name="walk",
        timeouts=timeouts,
        order=chance.choice((Order.UNORDERED, Order.UNORDERED, Order.BEST_EFFORT)),
        crash=chance.randrange(4),
        detach=chance.randrange(6),
        late=1,
        orphan=chance.randrange(4),
        early=chance.randrange(4),
    )


def _never_ends(world: Small) -> None:
    raise Broken("every packet ends", f"{MOST_MOVES} moves, and no end: {world.chains}")


SMALL = (
    Scope(name="one packet, a crash, a timeout", timeouts=(SHORT,), crash=1, late=1),
    Scope(name="one packet, a clock that is early, a timeout", timeouts=(SHORT,), early=1, late=1),
    Scope(name="one packet, a zombie and what it sent", timeouts=(LONG,), detach=1, orphan=1),
    Scope(name="two packets, a timeout", timeouts=(LONG, SHORT), late=1),
    Scope(
        name="two packets in order, a timeout",
        timeouts=(SHORT, LONG),
        late=1,
        order=Order.BEST_EFFORT,
    ),
)
"""What CI searches."""
LARGE = (
    *SMALL,
    Scope(name="one packet, a zombie, a timeout", timeouts=(SHORT,), detach=1, orphan=1, late=1),
    Scope(name="two packets, a crash", timeouts=(LONG, LONG), crash=1),
    Scope(
        name="two packets in order, a crash",
        timeouts=(LONG, LONG),
        crash=1,
        order=Order.BEST_EFFORT,
    ),
    Scope(name="two packets, a crash, a timeout", timeouts=(LONG, SHORT), crash=1, late=1),
    Scope(name="one packet, all of it", timeouts=(SHORT,), crash=1, late=1, orphan=1, early=1),
)
"""What ``make simulate`` searches."""
