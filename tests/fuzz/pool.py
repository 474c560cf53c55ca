"""A run spread over processes; counts do not depend on how many there are."""

from __future__ import annotations

import sys
import time
from concurrent.futures import as_completed
from typing import TYPE_CHECKING

from tests.fuzz.engine import CHUNK, Tally, run_chunk
from tests.fuzz.targets import load

if TYPE_CHECKING:
    from concurrent.futures import Executor


def fuzz(pool: Executor, name: str, count: int, seed: int) -> Tally:
    """*count* mutations of the target *name*; progress goes to stderr, once a second."""
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
            rate = f"{tally.total / passed:,.0f}/s"
            print(f"{name}: {tally.total:,} of {count:,}, {rate}", file=sys.stderr, flush=True)
    return tally


def _chunk(name: str, seed: int, number: int, size: int) -> Tally:
    return run_chunk(load(name), seed, number, size)
