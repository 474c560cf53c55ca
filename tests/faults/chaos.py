"""Two relayers and three cities under load while processes are killed -9, one after the other:

``python -m tests.faults.chaos --kills N --seed S``. Each city is two processes, its chain and its
adapter, which die apart; relayers, adapters, chains, PostgreSQL and the hub are killed equally
often. At each kill at least a hundred packets are in flight; the process is started again at once,
and the next kill follows the first packet that ends thereafter. In the end the chains' ledgers, the
adapters' own logs and the registry are judged.

Source: reliability notes section 7.3 (C5, R1, R4).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from hub.cli.clock import wall_clock
from hub.cli.dev.layout import ADAPTERS, CHAINS, HUB, POSTGRES, RELAYER
from hub.core.time import MILLISECOND, Duration
from tests.harness.network import HANGZHOU, SHANGHAI, SUZHOU, running
from tests.harness.pair import SECOND, pair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.cli.dev.ledgers import Findings
    from tests.harness.network import LiveNetwork
    from tests.harness.pair import Pair

PAIRS: Final = ((HANGZHOU, SUZHOU), (SUZHOU, SHANGHAI), (SHANGHAI, HANGZHOU))
IN_FLIGHT: Final = 100
"""Packets that have not ended, at least, when a process is killed."""
LOAD: Final = 80
"""Packets that are sent at once over one lane."""
LAPSING: Final = 4
"""Packets of each load that time out soon."""
SHORT_S: Final = 3
AWAY: Final = ("ydhub-relayer: REGISTRY_UNREACHABLE", "ydhub-server: REGISTRY_UNREACHABLE")
"""What a process says that ends because the database is away when it starts."""
RELAYERS: Final = (RELAYER, SECOND)
KINDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("relayer", RELAYERS),
    ("adapter", tuple(ADAPTERS.values())),
    ("chain", tuple(map(str, CHAINS))),
    ("postgres", (POSTGRES,)),
    ("hub", (HUB,)),
)
"""Each kind, in turn, and its processes."""


@dataclass(frozen=True, slots=True)
class Killed:
    """One kill, as it went."""

    kind: str
    process: str
    in_flight: int
    took: Duration
    """Until the next packet ended (ns)."""

    def __str__(self) -> str:
        return (
            f"{self.kind:<9} {self.process:<16} {self.in_flight:>6} in flight, next end after "
            f"{self.took // MILLISECOND:>6} ms"
        )


def plan(kills: int, chance: Random) -> list[tuple[str, str]]:
    """(kind, process) of each kill: every kind in turn, in an order that *chance* chooses."""
    found = []
    for at in range(kills):
        kind, processes = KINDS[at % len(KINDS)]
        found.append((kind, chance.choice(processes)))
    chance.shuffle(found)
    return found


async def survive(live: LiveNetwork, kills: int, seed: int, *, tells: bool) -> list[Killed]:
    """What became of each kill; everything that was sent has ended, and is judged."""
    chance = Random(seed)
    found: list[Killed] = []
    live.may_say = AWAY
    async with pair(live) as relayers:
        await live.attached(*CHAINS)
        for at, (kind, process) in enumerate(plan(kills, chance), 1):
            found.append(await _kill(live, relayers, kind, process, chance))
            if tells:
                print(f"{at:>4}  {found[-1]}", flush=True)
        findings = await live.judged()
        if tells:
            _tell(found, findings)
    return found


async def _kill(
    live: LiveNetwork, relayers: Pair, kind: str, process: str, chance: Random
) -> Killed:
    in_flight = await _load(live, relayers, chance)
    began = wall_clock()
    await live.kill(process)
    await _start(live, relayers, process)
    ended = sum(live.sent.values()) - in_flight

    async def another_has_ended() -> bool:
        _keep_up(live, relayers)
        return await live.completed() > ended

    await live.until(another_has_ended, f"a packet that ends after {process} was killed")
    return Killed(kind, process, in_flight, Duration(wall_clock() - began))


def _keep_up(live: LiveNetwork, relayers: Pair) -> None:
    """What has ended by itself runs again: one that starts while the database is away gives up."""
    for process in (HUB, *RELAYERS):
        if not live.network.processes.is_running(process):
            relayers.launch(process)


async def _load(live: LiveNetwork, relayers: Pair, chance: Random) -> int:
    """How many packets are in flight now: at least ``IN_FLIGHT``; everything runs."""
    while True:
        _keep_up(live, relayers)
        lane = chance.choice(live.lanes)
        await _send(live, lane.source_peer)
        found = sum(live.sent.values()) - await _completed(live)
        if found >= IN_FLIGHT:
            return found


async def _send(live: LiveNetwork, peer: str) -> None:
    """*peer*, once it answers, sends packets over all its lanes, some of which time out soon."""
    await live.until(lambda: live.network.answers(peer), f"{peer} to send from")
    for lane in live.lanes:
        if lane.source_peer == peer:
            await live.send(lane, LOAD)
            await live.send(lane, LAPSING, timeout_s=SHORT_S)


async def _completed(live: LiveNetwork) -> int:
    found: list[int] = []

    async def is_known() -> bool:
        found.append(await live.completed())
        return True

    await live.until(is_known, "the hub's answer")
    return found[0]


async def _start(live: LiveNetwork, relayers: Pair, process: str) -> None:
    if process == POSTGRES:
        await live.start_postgres()
    else:
        relayers.launch(process)


def _tell(kills: Sequence[Killed], findings: Findings) -> None:
    by_kind: defaultdict[str, list[Killed]] = defaultdict(list)
    for one in kills:
        by_kind[one.kind].append(one)
    print("\nkind       kills  in flight (least, median)  next end (median, longest, ms)")
    for kind, ones in sorted(by_kind.items()):
        flights = sorted(one.in_flight for one in ones)
        times = sorted(one.took // MILLISECOND for one in ones)
        middle = len(ones) // 2
        print(
            f"{kind:<9} {len(ones):>6}  {flights[0]:>9} {flights[middle]:>8}"
            f"          {times[middle]:>8} {times[-1]:>8}"
        )
    print(
        f"\n{len(kills)} kills: {findings.sent} sent, {findings.executed} executed, "
        f"{findings.refunded} refunded, {findings.accepted} accepted by the adapters' logs; "
        f"0 lost, 0 doubled, supply conserved, every invariant of the registry holds"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=8, help="how many; 200 gives 40 of each kind")
    parser.add_argument("--seed", type=int, default=1, help="of what is killed when")
    given = parser.parse_args(arguments)
    directory = Path(mkdtemp(prefix="ydhub-"))
    with running(*PAIRS, directory=directory / "net", is_split=True) as live:
        try:
            asyncio.run(survive(live, given.kills, given.seed, tells=True))
        except AssertionError as error:
            print(f"seed {given.seed}: {error}\nits logs: {directory}/net/logs", file=sys.stderr)
            return 1
    rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
