"""``python -m tests.faults.takeover``: how soon another relayer carries a city's packets.

One of two relayers is killed, or stopped, while it owns the sessions of a lane's source; a packet
is sent at that moment. The time runs from the signal until the hub shows the packet completed:
redial, lease, proof, execution and acknowledgement are all in it.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Final

from hub.cli.clock import wall_clock
from hub.core.time import MILLISECOND, Duration
from tests.harness.network import HANGZHOU, SUZHOU, running
from tests.harness.pair import pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.harness.network import LiveNetwork
    from tests.harness.pair import Pair

COMMITTED: Final = 7000
"""Milliseconds that a take-over may take."""


async def measure(live: LiveNetwork, count: int, what: signal.Signals) -> list[Duration]:
    """How long each of *count* take-overs took after the signal *what*."""
    found: list[Duration] = []
    async with pair(live) as relayers:
        for _ in range(count):
            await relayers.shared()
            found.append(await _take_over(live, relayers, what))
        await live.judged()
    return found


async def _take_over(live: LiveNetwork, relayers: Pair, what: signal.Signals) -> Duration:
    victim = (await relayers.owners())[HANGZHOU]
    lane = live.lane(HANGZHOU, SUZHOU)
    began = wall_clock()
    live.network.processes.send(victim, what)
    sent = await live.send(lane, 1)
    try:
        await live.reached(lane, sent.first_sequence, "COMPLETED")
        return Duration(wall_clock() - began)
    finally:
        if what is signal.SIGSTOP:
            live.network.processes.send(victim, signal.SIGCONT)
        await relayers.start(victim)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.takeover", description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="take-overs of each kind")
    given = parser.parse_args(arguments)
    longest = 0
    with running((HANGZHOU, SUZHOU)) as live:
        print("signal   count   p50 (ms)   max (ms)")
        for what in (signal.SIGKILL, signal.SIGSTOP):
            times = sorted(asyncio.run(measure(live, given.count, what)))
            middle, last = times[len(times) // 2] // MILLISECOND, times[-1] // MILLISECOND
            print(f"{what.name} {len(times):>6} {middle:>10} {last:>10}", flush=True)
            longest = max(longest, last)
    return 0 if longest < COMMITTED else 1


if __name__ == "__main__":
    sys.exit(main())
