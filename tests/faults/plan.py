"""Which faults strike how often; the same options plan the same trials."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from tests.faults import clocks, connections, databases, disks, fencing, matrix, pairs
from tests.faults.crash_points import number_of
from tests.faults.matrix import every_kill
from tests.faults.trial import Trial

if TYPE_CHECKING:
    from hub.core.time import Duration
    from tests.faults.trial import Site

KINDS: Final = ("kills", "pairs", "fencing", "postgres", "connections", "disks", "clocks")
BATCH: Final = 30
"""Trials that one network is struck by at most; its books grow with each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much of everything."""

    seed: int = 1
    runs: int = 20
    """Of each failpoint."""
    pairs: int = 100
    fencing: int = 20
    postgres: int = 50
    others: int = 3
    """Of each fault of connections, disks and clocks."""
    kinds: tuple[str, ...] = KINDS
    only: str = ""
    """Trials with this in their key."""


def planned(options: Options) -> list[Trial]:
    """Every trial, in order."""
    makers = {
        "kills": _kills,
        "pairs": _pairs,
        "fencing": _fencing,
        "postgres": _postgres,
        "connections": _connections,
        "disks": _disks,
        "clocks": _clocks,
    }
    found = [trial for kind in options.kinds for trial in makers[kind](options)]
    return [trial for trial in found if options.only in trial.key]


def batches(trials: list[Trial], seed: int) -> list[list[Trial]]:
    """The trials of one network each: of one kind, mixed as *seed* says."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.kind, trial.ground), []).append(trial)
    found = []
    for key, group in groups.items():
        Random(f"{seed}/{key}").shuffle(group)
        count = -(-len(group) // BATCH)
        size = -(-len(group) // count)
        found += [group[at : at + size] for at in range(0, len(group), size)]
    return found


def _kills(options: Options) -> list[Trial]:
    return [
        Trial(
            kind="kills",
            fault=f"{number_of(kill.failpoint):<4}{_role(kill.process)} {kill.failpoint}",
            run=run,
            strike=partial(_kill, at=at),
        )
        for run in range(1, options.runs + 1)
        for at, kill in enumerate(every_kill())
    ]


async def _kill(site: Site, chance: Random, *, at: int) -> Duration:
    """As ``Strike``: the kill at that place of the matrix, at a pass that *chance* chooses."""
    return await matrix.strike(site.live, every_kill(chance)[at])


def _role(process: str) -> str:
    return "city" if process in matrix.CITIES else process


def _pairs(options: Options) -> list[Trial]:
    found = []
    for run in range(1, options.pairs + 1):
        second = pairs.second_of(Random(f"{options.seed}/pair/{run}"))
        strike = partial(pairs.strike, second=second)
        fault = f"failpoint, then {second}"
        found.append(Trial(kind="pairs", fault=fault, run=run, strike=strike))
    return found


def _fencing(options: Options) -> list[Trial]:
    return [
        Trial(
            kind="fencing",
            fault="SIGSTOP past the lease",
            run=run,
            strike=fencing.strike,
            ground="paired",
        )
        for run in range(1, options.fencing + 1)
    ]


def _postgres(options: Options) -> list[Trial]:
    names = list(databases.KILLS)
    return [
        Trial(kind="postgres", fault=name, run=run, strike=databases.KILLS[name])
        for run in range(1, options.postgres + 1)
        for name in [names[run % len(names)]]
    ]


def _connections(options: Options) -> list[Trial]:
    return [
        Trial(kind="connections", fault=name, run=run, strike=strike, ground=ground)
        for run in range(1, options.others + 1)
        for name, (ground, strike) in connections.faults().items()
    ]


def _disks(options: Options) -> list[Trial]:
    return [
        Trial(kind="disks", fault=f"full: {name}", run=run, strike=strike, ground="disks")
        for run in range(1, options.others + 1)
        for name, strike in disks.FAULTS.items()
    ]


def _clocks(options: Options) -> list[Trial]:
    return [
        Trial(kind="clocks", fault=f"clock of {name}", run=run, strike=strike, dates_answers=False)
        for run in range(1, options.others + 1)
        for name, strike in clocks.faults().items()
    ]
