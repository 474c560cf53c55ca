"""A whole development network for tests: real processes, judged by the chains' own ledgers.

Each way of asking opens its own connection, so that a network outlives the event loop of one test.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import signal
import sys
import tomllib
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Final

import pytest
from ydhub.hub.v1 import status_service_pb2
from ydhub.lane.v1 import lane_pb2, lane_service_pb2
from ydhub.packet.v1 import packet_pb2, packet_service_pb2
from ydhub.peer.v1 import peer_pb2, peer_service_pb2
from ydhub.simchain.v1 import simchain_service_pb2 as simchain

from hub.cli.connection import connect
from hub.cli.dev.configs import ACCOUNTS, token, write
from hub.cli.dev.layout import ADAPTERS, CHAINS, RELAYER
from hub.cli.dev.ledgers import Books, Findings, judge, read_accepted
from hub.cli.dev.network import STOP_WITHIN, URL_VARIABLE, Network
from hub.cli.settings import Given, resolve
from hub.core.errors import Reason
from hub.core.invariants import BY_NAME
from hub.core.lane import LaneKey, Order
from hub.core.time import MILLISECOND, Duration
from hub.wire import anchor_file
from hub.wire.anchors import anchor_to_proto
from hub.wire.status import RemoteError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from hub.cli.connection import Connection
    from hub.cli.settings import Settings

HANGZHOU, SUZHOU, SHANGHAI = map(str, CHAINS)
BLOCK_INTERVAL: Final = Duration(200 * MILLISECOND)
AMOUNT: Final = 1
LONG_S: Final = 3600
PATIENCE_S: Final = 60
"""A machine that does much else beside is slow, and no test fails by that."""
POLL_S: Final = 0.05
LONG_CALL_S: Final = 120
ROUTE: Final = "transfer~transfer"
FAILPOINT: Final = "YDHUB_FAILPOINT"
_AWAY: Final = {
    None,
    Reason.REGISTRY_UNREACHABLE,
    Reason.COMMIT_UNKNOWN,
    Reason.STANDBY_MISSING,
    Reason.TIMELINE_OUTDATED,
}


class LiveNetwork:
    """The processes of one directory, and what was sent over their lanes."""

    def __init__(self, directory: Path, *, is_split: bool = False) -> None:
        """Where *is_split*, each chain and its adapter are two processes."""
        self.network = Network(
            directory, self._hear, block_interval=BLOCK_INTERVAL, is_split=is_split
        )
        self.adapters = {str(peer): ADAPTERS[peer] if is_split else str(peer) for peer in CHAINS}
        """The process that is the adapter, by peer."""
        self.lanes: list[LaneKey] = []
        self.stopped: set[str] = set()
        """Peers whose client is frozen: packets of their lanes may wait."""
        self.sent: dict[LaneKey, int] = {}
        self.asked: set[tuple[str, str, Order]] = set()
        """Openings that were asked for: the same again is the same opening."""
        self.may_say: tuple[str, ...] = ()
        """How lines that are no complaint may begin, beside those of JSON."""
        self._read: dict[str, int] = {}

    async def up(self, *pairs: tuple[str, str]) -> None:
        """Everything runs, the peers are registered and attached, the lanes of *pairs* are open."""
        await self.network.up()
        await self.register()
        openings = [await self.ask_for_lanes(source, to) for source, to in pairs]
        for opening in openings:
            await self.opened(opening)

    async def down(self) -> None:
        await self.network.down()

    async def dial(self, peer: str, *relayers: str) -> None:
        """*peer*'s adapter runs anew and dials *relayers*, host:port; the network's own if none."""
        adapter = self.adapters[peer]
        file = self.network.layout.config(adapter)
        config = tomllib.loads(file.read_text())
        write(file, config | {"relayers": list(relayers) or [self.network.addresses[RELAYER]]})
        await self.network.processes.stop(adapter, STOP_WITHIN)
        await self.network.start(adapter)

    async def kill(self, name: str, what: signal.Signals = signal.SIGKILL) -> None:
        """The process, PostgreSQL's first one too, has ended by the signal *what*."""
        number = self.network.number(name)
        assert number is not None, f"{name} does not run"
        os.kill(number, what)
        await self.until(lambda: _true(self.network.number(name) is None), f"the end of {name}")

    async def start_postgres(self) -> None:
        """The network's own PostgreSQL runs again; nobody's configuration is written anew."""
        place = str(self.network.layout.postgres)
        command = (sys.executable, "-m", "hub.server", "postgres", "start", "--dir", place)
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(*command, stdin=quiet, stdout=quiet)
        assert await process.wait() == 0

    async def died(self, name: str, where: str = "") -> int:
        """The exit status of a child that ends by itself; minus the signal where one ended it."""
        # Its number also while it is dead, and waits to be asked how it died.
        number = int(self.network.layout.pid(name).read_text().split()[0])
        found: list[int] = []

        async def has_ended() -> bool:
            found.extend(_status(number))
            return bool(found)

        await self.until(has_ended, f"the death of {name} {where}")
        return found[0]

    async def register(self) -> None:
        async with self.hub() as hub:
            for peer in CHAINS:
                file = anchor_file.read_peer(self.network.layout.anchor("hub", peer))
                found = peer_pb2.Peer(
                    name=f"peers/{peer}",
                    display_name=file.display_name,
                    anchor=anchor_to_proto(file.anchor),
                )
                request = peer_service_pb2.RegisterPeerRequest(peer=found)
                await hub.call(hub.peers.RegisterPeer, request)
        await self.attached(*map(str, CHAINS))

    async def attached(self, *peers: str) -> None:
        """Returns once *peers* have a session with a relayer."""

        async def all_are() -> bool:
            return set(peers) <= await self._attached()

        await self.until(all_are, f"sessions of {peers}")

    async def detached(self, *peers: str) -> None:
        """Returns once none of *peers* has a session any more."""

        async def none_is() -> bool:
            return not set(peers) & await self._attached()

        await self.until(none_is, f"the end of the sessions of {peers}")

    async def _attached(self) -> set[str]:
        async with self.hub() as hub:
            listed = await hub.call(hub.peers.ListPeers, peer_service_pb2.ListPeersRequest())
        return {peer.name.removeprefix("peers/") for peer in listed.peers if peer.attached}

    async def ask_for_lanes(self, source: str, to: str, order: Order = Order.UNORDERED) -> str:
        """The opening's name."""
        self.asked.add((source, to, order))
        request = lane_service_pb2.OpenLaneRequest(
            source_peer=f"peers/{source}",
            destination_peer=f"peers/{to}",
            allow_routes=[ROUTE],
            order=lane_pb2.Order.Value(f"ORDER_{order}"),
        )
        async with self.hub() as hub:
            return (await hub.call(hub.lanes.OpenLane, request)).opening.name

    async def opened(self, opening: str) -> LaneKey:
        """The lane asked for, once it and its reverse are open."""
        found = lane_pb2.LaneOpening()

        async def done() -> bool:
            request = lane_service_pb2.GetLaneOpeningRequest(name=opening)
            async with self.hub() as hub:
                answer = await hub.call(hub.lanes.GetLaneOpening, request)
            found.CopyFrom(answer.opening)
            assert found.state != lane_pb2.LaneOpening.STATE_FAILED, found
            return found.state == lane_pb2.LaneOpening.STATE_DONE

        await self.until(done, f"{opening}")
        keys = [LaneKey.parse(lane.name) for lane in found.lanes]
        self.lanes += keys
        self.sent |= dict.fromkeys(keys, 0)
        return keys[0]

    def lane(self, source: str, to: str) -> LaneKey:
        """The first lane that was opened from *source* to *to*."""
        ends = (source, to)
        return next(k for k in self.lanes if (k.source_peer, k.destination_peer) == ends)

    async def send(
        self, lane: LaneKey, count: int, *, timeout_s: int = LONG_S, port: str = ""
    ) -> simchain.SendTransferResponse:
        """The source's chain has committed *count* packets."""
        request = simchain.SendTransferRequest(
            client=lane.source_client,
            sender="alice",
            receiver="bob",
            denomination=token(lane.source_peer),
            amount=AMOUNT,
            timeout_seconds=timeout_s,
            count=count,
            source_port=port,
        )
        async with self.chain(lane.source_peer) as chain:
            answer = await chain.call(chain.simchain.SendTransfer, request)
        self.sent[lane] += count
        return answer

    async def completed(self) -> int:
        """Packets that have ended at their source, over all lanes."""
        return sum(lane.completed_count for lane in await self.listed())

    async def shown(self, lane: LaneKey) -> lane_pb2.Lane:
        """The lane as the hub shows it."""
        request = lane_service_pb2.GetLaneRequest(name=lane.name)
        async with self.hub() as hub:
            return (await hub.call(hub.lanes.GetLane, request)).lane

    async def listed(self) -> list[lane_pb2.Lane]:
        """The lanes as the hub shows them."""
        request = lane_service_pb2.ListLanesRequest(page_size=500)
        async with self.hub() as hub:
            return list((await hub.call(hub.lanes.ListLanes, request)).lanes)

    async def state(self, lane: LaneKey, sequence: int) -> str:
        """Where a packet stands; empty while it is not accepted."""
        name = f"{lane.name}/packets/{sequence}"
        async with self.hub() as hub:
            try:
                found = await hub.call(
                    hub.packets.GetPacket, packet_service_pb2.GetPacketRequest(name=name)
                )
            except RemoteError as error:
                if error.reason is Reason.PACKET_NOT_FOUND:
                    return ""
                raise
        return packet_pb2.PacketState.Name(found.packet.state).removeprefix("PACKET_STATE_")

    async def ledger(self, peer: str, *, totals_only: bool = False) -> simchain.GetLedgerResponse:
        request = simchain.GetLedgerRequest(totals_only=totals_only)
        async with self.chain(peer) as chain:
            return await chain.call(chain.simchain.GetLedger, request)

    async def reached(self, lane: LaneKey, sequence: int, state: str) -> None:
        """Returns once a packet stands there."""

        async def it_does() -> bool:
            return await self.state(lane, sequence) == state

        await self.until(it_does, f"{lane.name} {sequence} {state}")

    async def ended(self) -> None:
        """Returns once every packet that was sent has ended at its source, by the hub."""
        left: dict[str, str] = {}

        async def all_have() -> bool:
            left.clear()
            for lane in await self.listed():
                key = LaneKey.parse(lane.name)
                if not (self.has_ended(lane) or self._is_stopped(key)):
                    counts = f"{lane.accepted_count} accepted, {lane.completed_count} ended"
                    left[lane.name] = f"{self.sent[key]} sent, {counts}"
            return not left

        await self.until(all_have, "the end of all packets", left)

    async def backlog_ended(self) -> None:
        """As ``ended``; but a long backlog is waited for as long as some of it ends."""
        while True:
            before = await self._ended_count()
            try:
                return await self.ended()
            except AssertionError:
                if await self._ended_count() == before:
                    raise

    async def _ended_count(self) -> int:
        return sum([lane.completed_count for lane in await self.listed()])

    def has_ended(self, lane: lane_pb2.Lane) -> bool:
        """Whether everything that was sent over *lane* has ended at its source."""
        sent = self.sent[LaneKey.parse(lane.name)]
        return lane.accepted_count == lane.completed_count == sent

    async def judged(self) -> Findings:
        """Everything has ended as it must, by the chains' own ledgers and the registry."""
        await self.ended()
        findings = judge(await self._books())
        assert findings.violations == []
        assert findings.sent == sum(self.sent.values())
        assert findings.sent == findings.executed + findings.refunded + findings.waiting
        await self.sound()
        assert await self._exceptions() == []
        return findings

    async def sound(self) -> None:
        """The registry breaks no invariant, and no log tells of a fault of ours."""
        broken, complaints = await self.broken(), self.complaints()
        assert broken == [], broken
        assert complaints == [], complaints

    async def broken(self) -> list[str]:
        """Invariants that rows of the registry break, all of them asked of all rows."""
        request = status_service_pb2.GetDatabaseRequest(ask_invariants=True)
        async with self.hub() as hub:
            found = await hub.call(hub.status.GetDatabase, request, timeout_s=LONG_CALL_S)
        assert {one.name for one in found.invariants} == set(BY_NAME)
        return [str(one) for one in found.invariants if one.violation_count or one.unfinished]

    async def _exceptions(self) -> list[packet_pb2.PacketRecord]:
        """Packets that the hub shows as exceptions, of lanes that are not stopped."""
        found: list[packet_pb2.PacketRecord] = []
        async with self.hub() as hub:
            for lane in await self.listed():
                if not lane.exception_count or self._is_stopped(LaneKey.parse(lane.name)):
                    continue
                request = packet_service_pb2.ListPacketsRequest(parent=lane.name)
                async for page in hub.all(hub.packets.ListPackets, request):
                    found += [one for one in page.packets if one.HasField("exception")]
        return found

    def complaints(self) -> list[str]:
        """Lines of the logs, new since the last call, that tell of a fault of ours."""
        found = []
        for log in sorted(self.network.layout.log(RELAYER).parent.glob("*.log")):
            name, text = log.stem, log.read_bytes()
            fresh = text[self._read.get(name, 0) :]
            self._read[name] = len(text)
            lines = fresh.decode(errors="replace").splitlines()
            found += [f"{name}: {line[:2000]}" for line in lines if not self._is_well(line)]
        return found

    async def until(
        self, holds: Callable[[], Awaitable[bool]], what: str, left: object = ""
    ) -> None:
        """Returns when it holds; fails, with the ends of all logs, when it takes too long."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await _holds(holds):  # noqa: ASYNC110 - processes set no event
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            lines = [
                f"{name}: {line[:500]}"
                for name in self.network.names
                for line in self.network.last_lines(name, 6)
            ]
            raise AssertionError("\n".join([f"waited for {what} {left}", *lines])) from None

    def hub(self) -> AbstractAsyncContextManager[Connection]:
        """A connection to the hub, as its administrator; for ``async with``."""
        return connect(self.settings)

    def chain(self, peer: str) -> AbstractAsyncContextManager[Connection]:
        """A connection to *peer*'s chain, as its administrator; for ``async with``."""
        settings = self.settings
        return connect(settings, settings.chains[peer])

    @property
    def settings(self) -> Settings:
        return resolve(Given(directory=self.network.layout.directory))

    def left_running(self) -> list[str]:
        """Command lines of this machine's processes that are of this directory."""
        ours = str(self.network.layout.directory)
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                command = (process / "cmdline").read_bytes()
                place = str((process / "cwd").readlink())
            except OSError:
                continue
            if os.fsencode(ours) in command or place.startswith(ours):
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found

    def _is_stopped(self, lane: LaneKey) -> bool:
        return bool({lane.source_peer, lane.destination_peer} & self.stopped)

    async def _books(self) -> Books:
        accepted: dict[LaneKey, frozenset[int]] = {}
        for peer in map(str, CHAINS):
            log = read_accepted(self._own_directory(peer) / "accepted.jsonl")
            accepted |= {LaneKey.parse(lane): frozenset(found) for lane, found in log.items()}
        return Books(
            ledgers={peer: await self.ledger(peer) for peer in map(str, CHAINS)},
            lanes=tuple(self.lanes),
            stopped=frozenset(self.stopped),
            accepted=accepted,
            genesis={peer: {token(peer): sum(ACCOUNTS.values())} for peer in map(str, CHAINS)},
            amount=AMOUNT,
        )

    def _own_directory(self, peer: str) -> Path:
        """Where *peer*'s adapter keeps its own log."""
        layout = self.network.layout
        return layout.chain(peer) if self.adapters[peer] == peer else layout.adapter(peer)

    def _is_well(self, line: str) -> bool:
        return line.startswith(self.may_say) or _is_well(line)

    def _hear(self, what: str, how: str) -> None:
        """Progress of a test is nobody's business."""


@contextmanager
def running(
    *pairs: tuple[str, str],
    directory: Path | None = None,
    is_split: bool = False,
    database_url: str = "",
) -> Iterator[LiveNetwork]:
    """A network with the lanes of *pairs* open; nothing of it is left afterwards.

    Where *is_split*, each chain and its adapter are two processes. It lies in *directory*, or in
    one of its own: pytest closes its directories to the account that the database runs as.
    """
    with TemporaryDirectory(prefix="ydhub-net-") as made, pytest.MonkeyPatch.context() as patch:
        live = LiveNetwork(directory or Path(made) / "net", is_split=is_split)
        # Kills are for a database of the network's own, or one that the test brings.
        patch.setenv(URL_VARIABLE, database_url)
        patch.delenv(FAILPOINT, raising=False)
        # Processes start often here: compiled once, and nothing is left in the tree.
        patch.setenv("PYTHONDONTWRITEBYTECODE", "")
        patch.setenv("PYTHONPYCACHEPREFIX", _bytecode())
        try:
            asyncio.run(live.up(*pairs))
            yield live
        finally:
            asyncio.run(live.down())
        left = live.left_running()
        assert left == [], f"still running: {left}"


@cache
def _bytecode() -> str:
    """A directory for what Python compiles, as long as this process lives."""
    made = mkdtemp(prefix="ydhub-bytecode-")
    atexit.register(rmtree, made, ignore_errors=True)
    return made


def _is_well(line: str) -> bool:
    """A line of JSON, and not of a fault of ours."""
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return entry.get("level") != "error" and "exception" not in entry


def _status(child: int) -> list[int]:
    """How the process ended, as ``died`` says; nothing while it runs."""
    ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG)
    if ended is None:
        return []
    return [ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status]


async def _true(value: bool) -> bool:  # noqa: FBT001 - what is asked for
    return value


async def _holds(holds: Callable[[], Awaitable[bool]]) -> bool:
    """Whether it does; not while nobody answers."""
    try:
        return await holds()
    except RemoteError as error:
        if error.reason in _AWAY:
            return False
        raise
