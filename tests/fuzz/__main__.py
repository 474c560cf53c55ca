"""``python -m tests.fuzz``: mutations of untrusted input, none of which may be accepted.

The table goes to stdout, progress to stderr. Exits with 1 when something was accepted, anything but
a typed error was raised, a reason was not reached, or memory grew.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

from tests.fuzz.engine import failures
from tests.fuzz.pool import fuzz
from tests.fuzz.report import table
from tests.fuzz.targets import TARGETS, load

if TYPE_CHECKING:
    from collections.abc import Sequence


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
