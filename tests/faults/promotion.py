"""A database whose primary dies, and whose standby is promoted under load:

``python -m tests.faults.promotion --count N``. At each kill of the primary at least a hundred
packets are in flight. Its standby, which had every commit, is promoted; the killed one comes back
at once as it was, takes writes, and waits for nobody. The hub and the relayer find the promoted one
by themselves, and so does a relayer that starts meanwhile. RTO is the time from the kill until a
packet that is sent at that moment is complete. Every second primary stands still instead, and goes
on when the other has taken over. Then the old primary is rewound and made the
standby, and so on. In the end the chains' ledgers, the adapters' own logs and the registry are
judged; and then the standby dies, where one is demanded.

Source: reliability notes section 7.3 (R6, R7).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from ydhub.hub.v1 import status_service_pb2

from hub.cli.clock import wall_clock
from hub.cli.dev.configs import write
from hub.cli.dev.layout import CHAINS, HUB, RELAYER
from hub.cli.dev.ledgers import read_accepted
from hub.cli.dev.network import STOP_WITHIN
from hub.core.errors import Reason
from hub.core.time import MILLISECOND, SECOND, Duration
from hub.wire.status import RemoteError
from tests.harness.clusters import SYNCHRONOUS, two_clusters
from tests.harness.network import HANGZHOU, SUZHOU, running
from tests.harness.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from tests.harness.clusters import Cluster, Clusters
    from tests.harness.network import LiveNetwork

PAIRS: Final = ((HANGZHOU, SUZHOU),)
IN_FLIGHT: Final = 100
"""Packets that have not ended, at least, when the primary is killed."""
LOAD: Final = 80
COMMITTED: Final = Duration(15 * SECOND)
"""RTO at most."""
DEGRADED_WITHIN: Final = Duration(5 * SECOND)
MEASURED: Final = 2000
"""Packets of one measurement of throughput."""


class Kind(StrEnum):
    """What happens to the primary."""

    KILLED = "killed"
    """As when its machine dies; it comes back at once, as it was."""
    STOPPED = "stopped"
    """As when its machine stands still; it goes on once the other has taken over."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One promotion, as it went."""

    kind: Kind
    in_flight: int
    took: Duration
    """RTO (ns)."""
    zombie_wrote: int
    """Transactions with writes that the old primary had after it came back."""
    rejoined: Duration
    """From stopping the old primary until it had every commit again (ns)."""

    def __str__(self) -> str:
        return (
            f"{self.kind:<8} {self.in_flight:>6} in flight, "
            f"complete after {self.took // MILLISECOND:>6} ms, "
            f"old primary: {self.zombie_wrote} writes, standby again after "
            f"{self.rejoined // MILLISECOND:>5} ms"
        )


def clusters_on_loopback() -> AbstractContextManager[Clusters]:
    """A primary and its standby, at ports that are free now."""
    one, other = free_ports(2)
    return two_clusters((one, other))


async def survive(live: LiveNetwork, clusters: Clusters, kind: Kind) -> Promotion:
    """What became of a promotion; the old primary is the standby in the end."""
    await _whole(live, clusters)
    in_flight = await _load(live)
    lane, old = live.lane(HANGZHOU, SUZHOU), clusters.primary
    timeline = old.timeline()
    began = wall_clock()
    await _do(old.kill if kind is Kind.KILLED else lambda: old.send(signal.SIGSTOP))
    await _do(clusters.promote)
    if kind is Kind.KILLED:
        await _do(lambda: old.start(synchronous=""))
    sent = await live.send(lane, 1)
    await live.reached(lane, sent.first_sequence, "COMPLETED")
    took = Duration(wall_clock() - began)
    assert clusters.primary.timeline() > timeline, "nothing was promoted"
    if kind is Kind.STOPPED:
        await _wake(live, old)
    wrote = await _written(live, old)
    began = wall_clock()
    await _do(old.kill)
    await _do(clusters.rejoin)
    await _whole(live, clusters)
    return Promotion(kind, in_flight, took, wrote, Duration(wall_clock() - began))


async def _wake(live: LiveNetwork, old: Cluster) -> None:
    """It goes on, and waits for no standby; what it had in hand when it stood still has ended."""
    await _do(lambda: old.send(signal.SIGCONT))
    await _do(lambda: old.demand(""))
    await live.until(lambda: asyncio.to_thread(old.is_left), "the old primary to be left")


async def _written(live: LiveNetwork, old: Cluster) -> int:
    """Transactions with writes that the *old* primary gets under load; it would take them.

    A relayer that has seen neither finds out which is the newer one.
    """
    before = old.next_transaction()
    await live.kill(RELAYER)
    await live.network.start(RELAYER)
    await _load(live)
    await live.ended()
    assert old.timeline(), "the old primary takes no writes"
    return old.next_transaction() - before


async def degrade(live: LiveNetwork, clusters: Clusters) -> Duration:
    """How soon the hub tells that the standby is gone (ns); nothing is accepted without it.

    The hub and the relayer demand one from now on. All that was sent meanwhile is complete in the
    end, once the standby is back.
    """
    await _whole(live, clusters)
    for name in (HUB, RELAYER):
        file = live.network.layout.config(name)
        write(file, tomllib.loads(file.read_text()) | {"require_synchronous_standby": True})
        await live.network.processes.stop(name, STOP_WITHIN)
        await live.network.start(name)
    await live.attached(*CHAINS)
    await _load(live)
    await live.ended()
    began = wall_clock()
    await _do(clusters.standby.kill)
    await live.until(lambda: _is_refused(live), "the hub to say that it has no standby")
    took = Duration(wall_clock() - began)
    await live.send(live.lane(HANGZHOU, SUZHOU), LOAD)
    await live.until(lambda: _was_refused(live), "packets to be refused")
    assert _accepted(live) == sum(live.sent.values()) - LOAD, "told accepted without a standby"
    await _do(clusters.rejoin)
    await live.ended()
    return took


async def throughput(live: LiveNetwork, clusters: Clusters, synchronous: str) -> int:
    """Packets a second from sending many until all are complete."""
    await live.ended()
    clusters.primary.demand(synchronous)
    began = wall_clock()
    await live.send(live.lane(HANGZHOU, SUZHOU), MEASURED)
    await live.ended()
    return MEASURED * SECOND // (wall_clock() - began)


async def _load(live: LiveNetwork) -> int:
    """How many packets are in flight now: at least ``IN_FLIGHT``."""
    while True:
        for lane in live.lanes:
            await live.send(lane, LOAD)
        found = sum(live.sent.values()) - await live.completed()
        if found >= IN_FLIGHT:
            return found


async def _whole(live: LiveNetwork, clusters: Clusters) -> None:
    """Returns once the standby has every commit."""

    async def it_has() -> bool:
        return await asyncio.to_thread(clusters.primary.has_standby)

    await live.until(it_has, "a synchronous standby")


async def _is_refused(live: LiveNetwork) -> bool:
    async with live.hub() as hub:
        try:
            await hub.call(hub.status.GetStatus, status_service_pb2.GetStatusRequest())
        except RemoteError as error:
            return error.reason is Reason.STANDBY_MISSING
    return False


async def _was_refused(live: LiveNetwork) -> bool:
    log = live.network.layout.log(RELAYER).read_text(errors="replace").splitlines()
    return any('"frame_refused"' in line and Reason.STANDBY_MISSING in line for line in log)


def _accepted(live: LiveNetwork) -> int:
    """Packets that adapters were told accepted, by their own logs."""
    logs = [live.network.layout.chain(peer) / "accepted.jsonl" for peer in CHAINS]
    return sum(len(found) for log in logs for found in read_accepted(log).values())


async def _do(step: Callable[[], None]) -> None:
    """An operator's *step*, while everybody else goes on."""
    await asyncio.to_thread(step)


async def promote_often(live: LiveNetwork, clusters: Clusters, count: int) -> list[Promotion]:
    """What became of each of *count* promotions, told as they come."""
    found = []
    for at in range(1, count + 1):
        kind = Kind.KILLED if at % 2 else Kind.STOPPED
        found.append(await survive(live, clusters, kind))
        print(f"{at:>4}  {found[-1]}", flush=True)
    return found


async def _run(live: LiveNetwork, clusters: Clusters, count: int) -> int:
    rates = [await throughput(live, clusters, one) for one in (SYNCHRONOUS, "", SYNCHRONOUS, "")]
    print(f"{max(rates[::2])} packets/s with the standby, {max(rates[1::2])} without", flush=True)
    clusters.primary.demand(SYNCHRONOUS)
    found = await promote_often(live, clusters, count)
    noticed = await degrade(live, clusters)
    print(f"standby gone: told after {noticed // MILLISECOND} ms, nothing accepted meanwhile")
    findings = await live.judged()
    wrote = sum(one.zombie_wrote for one in found)
    print("\nprimary   count   RTO p50 (ms)   max (ms)")
    for kind in Kind:
        times = sorted(one.took // MILLISECOND for one in found if one.kind is kind)
        if times:
            print(f"{kind:<8} {len(times):>6} {times[len(times) // 2]:>14} {times[-1]:>10}")
    print(
        f"{findings.sent} sent, {findings.executed} executed, {findings.accepted} accepted by the "
        f"adapters' logs; 0 lost, 0 doubled, every invariant of the registry holds; "
        f"old primaries: {wrote} writes"
    )
    longest = max(one.took for one in found)
    return 0 if longest <= COMMITTED and noticed <= DEGRADED_WITHIN and not wrote else 1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.promotion", description=__doc__)
    parser.add_argument("--count", type=int, default=20, help="promotions")
    given = parser.parse_args(arguments)
    directory = Path(mkdtemp(prefix="ydhub-"))
    with (
        clusters_on_loopback() as clusters,
        running(*PAIRS, directory=directory / "net", database_url=clusters.url) as live,
    ):
        try:
            status = asyncio.run(_run(live, clusters, given.count))
        except AssertionError as error:
            print(f"{error}\nits logs: {directory}/net/logs", file=sys.stderr)
            return 1
    rmtree(directory)
    return status


if __name__ == "__main__":
    sys.exit(main())
