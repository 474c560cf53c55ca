"""Trials in batches: each batch has a network of its own, which its faults strike one by one.

A trial that fails costs its network: its logs are kept, and the rest of the batch goes on in
another one. Batches run in processes of their own, as many at once as asked for.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from hub.cli.clock import wall_clock
from hub.core.time import SECOND
from tests.faults import disks
from tests.faults.chaos import AWAY
from tests.faults.plan import Options, batches, planned
from tests.faults.trial import Result, Site, attempt
from tests.faults.verdict import Verdict
from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU, running
from tests.harness.pair import pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.time import Timestamp
    from tests.faults.journal import Journal
    from tests.faults.trial import Trial
    from tests.harness.network import LiveNetwork

LANES: Final = ((HANGZHOU, SUZHOU), (HANGZHOU, SHANGHAI))
TRIES: Final = 5
"""Networks that one batch may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What every process of a run knows."""

    options: Options
    journal: Journal
    total: int
    """Trials that this run is to do."""
    before: int
    """Results that the journal had before."""
    began: Timestamp
    until: Timestamp
    """No trial begins later."""


def run(work: Work, trials: Sequence[Trial], jobs: int) -> None:
    """Every trial has its line in the journal, unless time is up."""
    groups = batches(list(trials), work.options.seed)
    if jobs == 1:
        for group in groups:
            run_batch(work, [trial.key for trial in group])
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        parts = [pool.submit(run_batch, work, [t.key for t in group]) for group in groups]
        for part in as_completed(parts):
            part.result()


def run_batch(work: Work, keys: Sequence[str]) -> None:
    """The trials of *keys*, one after the other."""
    by_key = {trial.key: trial for trial in planned(work.options)}
    rest: Sequence[Trial] = [by_key[key] for key in keys]
    for _ in range(TRIES):
        if rest and wall_clock() < work.until:
            rest = _one_network(work, rest)


def _one_network(work: Work, trials: Sequence[Trial]) -> Sequence[Trial]:
    """Those that are left when the network has ended, or has failed a trial."""
    directory = Path(mkdtemp(prefix="ydhub-faults-"))
    left = len(trials) - 1
    try:
        with ExitStack() as stack:
            if trials[0].ground == "disks":
                stack.enter_context(disks.mounted(directory / "net"))
            made = running(*LANES, directory=directory / "net", is_split=True)
            live = stack.enter_context(made)
            left = asyncio.run(_strike_all(work, live, trials))
    except Exception as error:  # noqa: BLE001 - a network that does not start, or end, is a failure
        struck = trials[max(len(trials) - left, 1) - 1]
        _fail(work, struck, f"no network, or no end of it: {type(error).__name__}: {error}")
    struck_ones = trials[: len(trials) - left]
    if all(work.journal.newest()[trial.key].holds for trial in struck_ones):
        rmtree(directory, ignore_errors=True)
    else:
        print(f"logs: {directory}/net/logs", flush=True)
    return trials[len(trials) - left :]


async def _strike_all(work: Work, live: LiveNetwork, trials: Sequence[Trial]) -> int:
    """How many trials are left."""
    live.may_say = AWAY
    async with AsyncExitStack() as stack:
        relayers = None
        if trials[0].ground == "paired":
            relayers = await stack.enter_async_context(pair(live))
        site, books = Site(live, relayers), Verdict()
        for at, trial in enumerate(trials, 1):
            if wall_clock() >= work.until:
                return len(trials) - at + 1
            chance = Random(f"{work.options.seed}/{trial.key}")
            result, books = await attempt(trial, site, chance, books)
            work.journal.append(result)
            _tell(work, result)
            if not result.holds:
                return len(trials) - at
    return 0


def _fail(work: Work, trial: Trial, problem: str) -> None:
    result = Result(
        kind=trial.kind,
        fault=trial.fault,
        run=trial.run,
        fired=False,
        recovery_ms=0,
        problem=problem,
    )
    work.journal.append(result)
    _tell(work, result)


def _tell(work: Work, result: Result) -> None:
    done = len(work.journal.results()) - work.before
    took = (wall_clock() - work.began) // SECOND
    left = took * max(work.total - done, 0) // max(done, 1)
    how = f"{result.recovery_ms:>7} ms" if result.holds else f"FAILED {result.problem[:600]}"
    print(f"{done:>5}/{work.total} {left // 60:>4} min left  {result.key:<64} {how}", flush=True)
