"""The kill matrix again and again: ``python -m tests.faults --runs N``.

Each run begins a network of its own and kills at passes that its seed chooses. Prints one line for
each kill with the time to the first new acknowledgement, and ends with 1 where a run failed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from hub.core.time import MILLISECOND
from tests.faults.matrix import every_kill, survive
from tests.harness.network import HANGZHOU, SUZHOU, running

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.time import Duration
    from tests.faults.matrix import Kill
    from tests.harness.network import LiveNetwork


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=1, help="repetitions of the whole matrix")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first run; the next has the next"
    )
    parser.add_argument(
        "--only", default="", help="failpoints, or processes, with this in the name"
    )
    given = parser.parse_args(arguments)
    times: list[Duration] = []
    for seed in range(given.seed, given.seed + given.runs):
        chance = Random(seed)
        kills = [kill for kill in every_kill(chance) if given.only in str(kill)]
        chance.shuffle(kills)
        directory = Path(mkdtemp(prefix="ydhub-"))
        with running((HANGZHOU, SUZHOU), directory=directory / "net") as live:
            try:
                times += asyncio.run(_run(live, kills, seed))
            except AssertionError as error:
                print(f"seed {seed}: {error}\nits logs: {directory}/net/logs", file=sys.stderr)
                return 1
        rmtree(directory)
    _sum_up(times, given.runs)
    return 0


async def _run(live: LiveNetwork, kills: Sequence[Kill], seed: int) -> list[Duration]:
    times = []
    for kill in kills:
        times.append(await survive(live, kill))
        print(f"seed {seed}  {kill!s:<40} {times[-1] // MILLISECOND:>6} ms", flush=True)
    findings = await live.judged()
    print(
        f"seed {seed}  {findings.sent} sent, {findings.executed} executed, "
        f"{findings.refunded} refunded, 0 lost, 0 doubled",
        flush=True,
    )
    return times


def _sum_up(times: list[Duration], runs: int) -> None:
    ordered = sorted(time // MILLISECOND for time in times)
    median, longest = ordered[len(ordered) // 2], ordered[-1]
    print(
        f"{runs} runs, {len(times)} kills; first new acknowledgement after {median} ms (median), "
        f"{longest} ms (longest)"
    )


if __name__ == "__main__":
    sys.exit(main())
