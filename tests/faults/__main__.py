"""``python -m tests.faults``: faults of every kind strike whole networks; a table says what came of
it. Ends with 1 where a packet was lost or doubled, an invariant is broken, a fault did not happen,
or a trial is missing.

Every result is a line of the journal as soon as it is there, so that a run that was cut off goes on
with ``--resume``. A part of it is chosen by ``--kinds`` and ``--only``; ``--kinds`` that are left
out are named in the end.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.cli.clock import wall_clock
from hub.core.time import SECOND, Timestamp
from tests.faults.campaigns import CAMPAIGNS, carry_out
from tests.faults.crash_points import CRASH_POINTS
from tests.faults.journal import Journal
from tests.faults.plan import KINDS, Options, planned
from tests.faults.report import failures, missing, table
from tests.faults.runner import Work, run

if TYPE_CHECKING:
    from collections.abc import Sequence

JOURNAL: Final = Path("results/faults.jsonl")
_FOREVER_S: Final = 10**8


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    options = Options(
        seed=given.seed,
        runs=given.runs,
        pairs=given.pairs,
        fencing=given.fencing,
        postgres=given.postgres,
        others=given.others,
        kinds=tuple(kind for kind in KINDS if kind in given.kinds.split(",")),
        only=given.only,
    )
    journal = Journal(given.journal)
    if not (given.resume or given.retry):
        journal.begin()
    trials = planned(options)
    done = journal.newest()
    done = {key: one for key, one in done.items() if one.holds or not given.retry}
    left = [trial for trial in trials if trial.key not in done]
    began = wall_clock()
    within = given.minutes * 60 if given.minutes else _FOREVER_S
    work = Work(
        options=options,
        journal=journal,
        total=len(left),
        before=len(journal.results()),
        began=began,
        until=Timestamp(began + within * SECOND),
    )
    campaigns = [name for name in CAMPAIGNS if name in given.campaigns.split(",")]
    try:
        run(work, left, given.jobs)
        for name in campaigns:
            if CAMPAIGNS[name].key not in done:
                journal.append(carry_out(name))
    except (KeyboardInterrupt, BrokenProcessPool):
        print("interrupted")
    keys = [trial.key for trial in trials] + [CAMPAIGNS[name].key for name in campaigns]
    return _tell(journal, keys, given.kinds, began)


def _end(*_: object) -> None:
    """Whoever runs a network ends it before this ends."""
    for child in active_children():
        if child.pid is not None:
            os.kill(child.pid, signal.SIGINT)
    raise KeyboardInterrupt


def _tell(journal: Journal, keys: Sequence[str], kinds: str, began: Timestamp) -> int:
    newest = journal.newest()
    results = [newest[key] for key in keys if key in newest]
    print(f"\n{table(results)}\n")
    for name, row in CRASH_POINTS.items():
        if row.elsewhere:
            print(f"{name} ({row.what}): {row.elsewhere}")
    out = [kind for kind in KINDS if kind not in kinds.split(",")]
    if out:
        print(f"LEFT OUT, as asked: {', '.join(out)}")
    bad, absent = failures(results), missing(results, keys)
    for line in bad:
        print(f"\nFAILED {line[:4000]}", file=sys.stderr)
    if absent:
        print(f"{len(absent)} trials are missing, the first is {absent[0]}: --resume does them")
    retried = sum(not one.holds for one in journal.results()) - len(bad)
    if retried:
        print(f"{retried} failures were tried again, and are not in the table")
    took = (wall_clock() - began) // SECOND
    print(f"{len(results)} trials, {len(bad)} failed, in {took // 60} min {took % 60} s")
    return 1 if bad or absent else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="of everything that is chosen")
    parser.add_argument("--runs", type=int, default=20, help="of each failpoint")
    parser.add_argument("--pairs", type=int, default=100, help="pairs of faults")
    parser.add_argument("--fencing", type=int, default=20, help="relayers that stand still")
    parser.add_argument("--postgres", type=int, default=50, help="kills of PostgreSQL")
    parser.add_argument("--others", type=int, default=3, help="of each other fault")
    parser.add_argument("--kinds", default=",".join(KINDS), help="those alone")
    parser.add_argument("--only", default="", help="trials with this in their name")
    parser.add_argument("--jobs", type=int, default=2, help="networks at once")
    parser.add_argument("--minutes", type=int, default=0, help="no trial begins later")
    parser.add_argument("--resume", action="store_true", help="what has no result yet")
    parser.add_argument("--retry", action="store_true", help="that, and what failed")
    parser.add_argument("--journal", type=Path, default=JOURNAL, help="where results are kept")
    parser.add_argument(
        "--campaigns", default=",".join(CAMPAIGNS), help="programs of their own; '' for none"
    )
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
