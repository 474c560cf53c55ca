"""Every listener is abused, and others must not feel it: ``python -m tests.faults.abuse``.

A network of real processes over mutual TLS. For each attack: somebody else calls the listener each
10 ms before it and during it, the process's memory is looked at, and packets are on their way; when
all is over they have all ended, and the registry breaks no invariant. Ends with 1 where a promise
is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import grpc
import psutil
from ydhub.peer.v1 import peer_service_pb2, peer_service_pb2_grpc

from hub.cli.dev.layout import HUB
from hub.wire.identity.credentials import channel_credentials, server_trust
from tests.faults.abuse.attacks import Target
from tests.faults.abuse.plan import CHAIN, ENROLMENT, PLAN
from tests.faults.abuse.report import HEADING, Outcome
from tests.faults.abuse.victim import PATIENCE_S, feel, unknown
from tests.harness.http2 import clock_s
from tests.harness.network import HANGZHOU, SUZHOU, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from hub.core.lane import LaneKey
    from tests.faults.abuse.plan import Promise
    from tests.faults.abuse.victim import Call
    from tests.harness.network import LiveNetwork

BEFORE_S: Final = 3
LONG_S: Final = 60
WARM_S: Final = 30
WARM_PART: Final = 12
"""Of traffic before a long attack, and a twelfth of its time where that is more: what a process
takes once it works, until its memory of recent facts is full, is not the attack's doing."""
PACKETS: Final = 20
"""Each way, for each attack; as many each quarter of a second under the long one."""
_METHODS: Final = {
    HUB: "/ydhub.peer.v1.PeerService/GetPeer",
    ENROLMENT: "/ydhub.certificate.v1.EnrolmentService/Enrol",
    CHAIN: "/ydhub.simchain.v1.SimchainService/GetLedger",
}
_ATTACH: Final = "/ydhub.relay.v1.RelayService/Attach"
_WATCH: Final = "/ydhub.hub.v1.WatchService/WatchLanes"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.abuse", description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="of each attack that has no end")
    parser.add_argument("--long", type=int, default=LONG_S, help="seconds of the stalled reader")
    parser.add_argument(
        "--only", action="append", help="attacks or listeners with this in the name; repeatable"
    )
    given = parser.parse_args(arguments)
    only = given.only or [""]
    chosen = [one for one in PLAN if any(part in f"{one[0]} {one[1]}" for part in only)]
    with running((HANGZHOU, SUZHOU)) as live:
        outcomes = asyncio.run(_suffer(live, chosen, given.seconds, given.long))
    broken = sum(bool(outcome.problems) for outcome in outcomes)
    print(f"{len(outcomes)} attacks, {broken} broke a promise", flush=True)
    return 1 if broken or not outcomes else 0


async def _suffer(
    live: LiveNetwork, chosen: Sequence[tuple[str, str, Promise]], seconds: int, long: int
) -> list[Outcome]:
    outcomes = []
    print(HEADING, flush=True)
    for listener, attack, promise in chosen:
        outcome = await _one(live, listener, attack, promise, long if promise.is_long else seconds)
        outcomes.append(outcome)
        print(outcome.line, flush=True)
    await live.backlog_ended()
    findings = await live.judged()
    print(f"{findings.sent} packets sent meanwhile, 0 lost, 0 doubled, every invariant holds")
    return outcomes


async def _one(
    live: LiveNetwork, listener: str, attack: str, promise: Promise, seconds: int
) -> Outcome:
    name = HUB if listener == ENROLMENT else listener
    number = live.network.number(name)
    assert number is not None
    process = psutil.Process(number)
    over = asyncio.Event()
    lane = live.lane(HANGZHOU, SUZHOU)
    ways = [lane] if attack == "stopped" else [lane, lane.reverse]
    traffic = asyncio.create_task(_traffic(live, ways, over, is_long=promise.is_long))
    await asyncio.sleep(max(WARM_S, seconds / WARM_PART) if promise.is_long else 0)
    async with _victim(live, listener) as call:
        before_rss = process.memory_info().rss
        before = await feel(call, _after(BEFORE_S))
        attacker = await _attacker(live, listener, attack, seconds)
        most = [before_rss]

        def is_over() -> bool:
            most[0] = max(most[0], process.memory_info().rss)
            return attacker.returncode is not None

        during = await feel(call, is_over)
        seen = json.loads((await attacker.communicate())[0] or "{}")
    over.set()
    await traffic
    rss = (before_rss, most[0], process.memory_info().rss)
    return Outcome(
        listener=listener,
        attack=attack,
        promise=promise,
        seen=seen,
        before=before,
        during=during,
        rss=rss,
    )


async def _traffic(
    live: LiveNetwork, ways: Sequence[LaneKey], over: asyncio.Event, *, is_long: bool
) -> None:
    """Some packets, or, where *is_long*, more and more of them before the attack and during it."""
    while True:
        for way in ways:
            await live.send(way, PACKETS)
        if not is_long or over.is_set():
            return
        await asyncio.sleep(0.25)


async def _attacker(
    live: LiveNetwork, listener: str, attack: str, seconds: int
) -> asyncio.subprocess.Process:
    layout = live.network.layout
    identity = "admin" if listener == CHAIN or attack == "stalled" else f"peer-{SUZHOU}"
    cert, key, ca = map(str, layout.certificate(identity))
    shown = {} if listener == ENROLMENT else {"cert": cert, "key": key}
    path = _WATCH if attack == "stalled" else _METHODS.get(listener, _ATTACH)
    adapter = live.network.number(SUZHOU) or 0
    target = Target(port=_port(live, listener), ca=ca, path=path, process=adapter, **shown)
    command = ("-m", "tests.faults.abuse.attacks", attack, str(seconds), json.dumps(asdict(target)))
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, *command, stdout=pipe)


@asynccontextmanager
async def _victim(live: LiveNetwork, listener: str) -> AsyncIterator[Call]:
    """What somebody else calls at the listener."""
    cert, key, ca = live.network.layout.certificate("admin")
    credentials = server_trust(ca) if listener == ENROLMENT else channel_credentials(cert, key, ca)
    address = f"127.0.0.1:{_port(live, listener)}"
    async with grpc.aio.secure_channel(address, credentials) as channel:
        if listener != HUB:
            yield unknown(channel)
            return
        stub: Any = peer_service_pb2_grpc.PeerServiceStub(channel)
        request = peer_service_pb2.GetPeerRequest(name=f"peers/{HANGZHOU}")

        async def call() -> None:
            await stub.GetPeer(request, timeout=PATIENCE_S)

        yield call


def _port(live: LiveNetwork, listener: str) -> int:
    return int(live.network.addresses[listener].rpartition(":")[2])


def _after(seconds: float) -> Callable[[], bool]:
    end = clock_s() + seconds
    return lambda: clock_s() >= end


if __name__ == "__main__":
    sys.exit(main())
