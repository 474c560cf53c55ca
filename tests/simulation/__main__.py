"""``python -m tests.simulation``: runs, walks and searches, each told by its seed or scope alone.

Exits with 0 when no promise is broken, with 1 when one is, or when a fault or a planted bug that
should have been seen was not.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

from tests.simulation.faults import KINDS
from tests.simulation.options import parse
from tests.simulation.planted import PLANTED, find
from tests.simulation.report import commit, of_runs, of_search
from tests.simulation.run import run
from tests.simulation.search import LARGE, SMALL, search, walk

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

CHUNK = 16


def main(arguments: list[str]) -> int:
    """The exit code."""
    options = parse(arguments)
    if options.seed is not None:
        return _one_run(options)
    if options.walk is not None:
        return _one_walk(options)
    parts = (
        (options.search, _searches),
        (options.walks, _walks),
        (options.seeds, _runs),
        (options.planted, _plants),
    )
    lines = [line for wanted, part in parts if wanted for line in part(options)]
    return int(any("BROKEN" in line for line in lines))


def _say(lines: Iterable[str]) -> list[str]:
    found = list(lines)
    for line in found:
        print(line, flush=True)
    return found


def _each(function: Callable[[int], T], numbers: range, workers: int) -> Iterator[T]:
    """What *function* makes of each of *numbers*, in whatever order."""
    if workers == 1:
        yield from map(function, numbers)
        return
    with get_context("fork").Pool(workers) as pool:
        yield from pool.imap_unordered(function, numbers, chunksize=CHUNK)


def _runs(options: argparse.Namespace) -> list[str]:
    began = time.perf_counter()
    numbers = range(options.first, options.first + options.seeds)
    verdicts = sorted(_each(run, numbers, options.workers), key=lambda one: one.seed)
    return _say(of_runs(verdicts, KINDS, time.perf_counter() - began))


def _walks(options: argparse.Namespace) -> list[str]:
    began = time.perf_counter()
    numbers = range(options.first, options.first + options.walks)
    found = list(_each(walk, numbers, options.workers))
    count = sum(one.moves for one in found)
    took = time.perf_counter() - began
    lines = [f"{len(found)} walks, {count} moves in {took:.0f} s"]
    for one in found:
        if one.broken:
            lines += [
                f"BROKEN  walk {one.seed} at commit {commit()}: {one.broken}",
                f"  again: python -m tests.simulation --walk {one.seed} --trace",
            ]
    return _say(lines)


def _searches(options: argparse.Namespace) -> list[str]:
    scopes = LARGE if options.search == "large" else SMALL
    return [line for scope in scopes for line in _say(of_search(search(scope)))]


def _plants(options: argparse.Namespace) -> list[str]:
    chosen = [one for one in PLANTED if options.planted in {"all", one.name}]
    lines: list[str] = []
    for plant in chosen:
        found = find(plant, options.first)
        is_right = found.promise in plant.promises
        result = f"{found.promise or 'nothing'} ({found.tries})"
        lines += _say([f"{'' if is_right else 'BROKEN  '}{plant.name:<36} {result}"])
    return lines or _say([f"BROKEN  no bug is named {options.planted}"])


def _one_run(options: argparse.Namespace) -> int:
    plant = next((one for one in PLANTED if one.name == options.planted), None)
    with plant.set() if plant else nullcontext():
        verdict = (
            run(options.seed, plant.profile, keep=True) if plant else run(options.seed, keep=True)
        )
    if options.trace:
        _say(verdict.lines)
    _say(of_runs([verdict], list(verdict.faults), 0))
    _say([f"digest {verdict.digest}"])
    return int(bool(verdict.promise))


def _one_walk(options: argparse.Namespace) -> int:
    found = walk(options.walk)
    if options.trace:
        _say([str(move) for move in found.path])
    _say([f"walk {found.seed}: {found.broken or 'no promise is broken'} after {found.moves} moves"])
    return int(bool(found.broken))


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets of names keep one order then, so that a seed is the same run everywhere.
        os.environ["PYTHONHASHSEED"] = "0"
        command = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execv(sys.executable, command)  # noqa: S606 - the same program
    sys.exit(main(sys.argv[1:]))
