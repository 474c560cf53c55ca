"""``python -m tests.fuzz``: mutations of untrusted input, none of which may be accepted.

The table goes to stdout, progress to stderr. Exits with 1 when something was accepted, anything but
a typed error was raised, a reason was not reached, or memory grew.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TYPE_CHECKING

from tests.fuzz.engine import CHUNK, Tally, failures, run_chunk
from tests.fuzz.report import table
from tests.fuzz.targets import TARGETS, load

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--target", choices=[*TARGETS, "all"], default="all")
    parser.add_argument("--count", type=int, default=20_000, help="mutations of each target")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other mutations")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    options = parser.parse_args(arguments)
    names = list(TARGETS) if options.target == "all" else [options.target]
    bad = False
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for name in names:
            tally = fuzz(pool, name, options.count, options.seed)
            target = load(name)
            print("\n".join(table(target, tally)), flush=True)
            for failure in failures(target, tally):
                bad = True
                print(f"FAILED {name}: {failure}", file=sys.stderr)
    return int(bad)


def fuzz(pool: Executor, name: str, count: int, seed: int) -> Tally:
    """*count* mutations of the target, spread over the processes of *pool*."""
    sizes = [CHUNK] * (count // CHUNK) + [count % CHUNK] * bool(count % CHUNK)
    began = time.perf_counter()
    tally = Tally()
    work = [pool.submit(_chunk, name, seed, number, size) for number, size in enumerate(sizes)]
    told = 0.0
    for done in as_completed(work):
        tally.add(done.result())
        passed = time.perf_counter() - began
        if passed - told > 1 or tally.total == count:
            told = passed
            rate = tally.total / passed
            print(
                f"{name}: {tally.total:,} of {count:,}, {rate:,.0f}/s", file=sys.stderr, flush=True
            )
    return tally


def _chunk(name: str, seed: int, number: int, size: int) -> Tally:
    return run_chunk(load(name), seed, number, size)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
