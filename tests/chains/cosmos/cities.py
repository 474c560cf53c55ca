"""Two live Cosmos chains as cities of one hub: every process is real, judged by the chains.

The hub, the relayer, PostgreSQL, both adapters and the command line are the project's own; the
chains are ibc-go's.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import tomllib
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from adapters.cosmos import anchoring
from hub.cli.dev.configs import write
from hub.cli.dev.layout import CHAINS, HUB, RELAYER
from hub.cli.dev.network import STOP_WITHIN, Network
from hub.core.ids import PeerId, parse_client_id
from hub.core.lane import LaneKey
from hub.registry.registry import PostgresRegistry
from tests.chains.cosmos import ledger
from tests.chains.cosmos.city import HELD, TOKEN, USERS, make_city
from tests.chains.cosmos.lying_node import LyingNode
from tests.chains.cosmos.user import CosmosUser
from tests.harness.command_line import run_command

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping

    from hub.core.ids import ClientId
    from tests.chains.cosmos.city import City
    from tests.chains.cosmos.options import ChainOptions

WEST, EAST = map(str, CHAINS[:2])
"""Peers whose certificates every development network has."""
PATIENCE_S: Final = 120
POLL_S: Final = 0.5
LAST_LINES, LINE = 12, 600
PROGRESS: Final = ("acceptedCount", "outcomeCount", "completedCount")
MAX_HEIGHT: Final = 2**62
ROUTE: Final = "transfer~transfer"
TRUSTING_PERIOD: Final = "336h"


class Cities:
    """A hub, a relayer, and two Cosmos chains with their adapters."""

    def __init__(self, directory: Path, options: Mapping[str, ChainOptions]) -> None:
        """Nothing runs yet. *options* are each peer's chain's, without its balances."""
        self.network = Network(directory / "net", lambda *_: None, chains=())
        self.cities = {peer: make_city(directory, peer, chosen) for peer, chosen in options.items()}

    @property
    def directory(self) -> Path:
        """Of the development network."""
        return self.network.layout.directory

    async def up(self) -> None:
        """Everything runs, and both peers are registered and attached."""
        for city in self.cities.values():
            city.chain.start()
        await asyncio.gather(
            self.network.up(), *[city.chain.wait_ready(3) for city in self.cities.values()]
        )
        for city in self.cities.values():
            await self._write_anchor(city)
        for peer in self.cities:
            self.write_config(peer)
            self.launch(peer)
        for peer in self.cities:
            await self.cli("peer", "register", "-f", self.network.layout.anchor(HUB, peer))
        await self.attached()

    async def down(self) -> None:
        """Nothing runs any more."""
        for peer in self.cities:
            await self.stop(peer)
        await self.network.down()
        for city in self.cities.values():
            city.chain.stop()

    async def attached(self, *others: str) -> None:
        """Returns once all adapters have a session, those of *others* too."""
        wanted = {f"peers/{peer}" for peer in (*self.cities, *others)}

        async def are_all() -> bool:
            for name in (RELAYER, *self.cities):
                assert self.network.processes.is_running(name), self._last_lines(name)
            peers = (await self.cli("peer", "list", "--output", "json"))["peers"]
            return {peer["name"] for peer in peers if peer.get("attached")} >= wanted

        await self.until(are_all, f"sessions of {', '.join(sorted(wanted))}")

    async def open_lane(self, *options: str, source: str = WEST, to: str = EAST) -> LaneKey:
        """A lane from *source* to *to*, once it and its reverse are open."""
        ends = ("--from", source, "--to", to)
        words = ("lane", "open", *ends, "--allow", ROUTE, *options, "--output", "json")
        keys = [LaneKey.parse(lane["name"]) for lane in (await self.cli(*words))["lanes"]]
        return next(key for key in keys if key.source_peer == source)

    async def cli(self, *arguments: object) -> Any:
        """What ``ydhub`` answers, as JSON where it is asked for; fails where it fails."""
        words = [*arguments, "--dir", self.directory]
        ran = await asyncio.to_thread(run_command, *words)
        assert ran.code == 0, f"{arguments}: {ran.error or ran.out}"
        return ran.json if "json" in arguments else ran.out

    def user(self, peer: str, number: int = 0) -> CosmosUser:
        """One of the users of *peer*'s chain."""
        city = self.cities[peer]
        return CosmosUser(city.chain, city.users[number])

    async def transfer(
        self, lane: LaneKey, count: int, *, timeout_s: int = 3600, user: int = 0
    ) -> None:
        """The source's chain has committed *count* packets of one token each."""
        there = self.cities[str(lane.destination_peer)].users[user].address
        client = parse_client_id(lane.source_client)
        sender = self.user(str(lane.source_peer), user)
        await self.send(sender, client, there, count, timeout_s=timeout_s)

    async def send(
        self, sender: CosmosUser, client: ClientId, receiver: str, count: int, *, timeout_s: int
    ) -> None:
        """*sender*'s chain has committed *count* packets of one token each for *receiver*."""
        since = await sender.network.height()
        hashes = await sender.transfer(client, receiver, TOKEN, count=count, timeout_s=timeout_s)
        done = await ledger.settled(sender.network, set(hashes), since)
        assert [one.log for one in done.values() if one.code] == []

    def launch(self, peer: str) -> int:
        """*peer*'s adapter has begun."""
        config = str(self.network.layout.config(peer))
        command = [sys.executable, "-m", "adapters.cosmos", "run", "--config", config]
        return self.network.processes.start(peer, command)

    async def kill(self, name: str) -> None:
        """The process *name* is killed, and has ended."""
        assert self.network.processes.send(name, signal.SIGKILL)
        await self.network.processes.wait_for_end(name)

    async def stop(self, peer: str) -> None:
        """*peer*'s adapter has ended in order."""
        await self.network.processes.stop(peer, STOP_WITHIN)

    async def revive(self, name: str) -> None:
        """The process *name* runs again."""
        if name == RELAYER:
            await self.network.start(name)
        else:
            self.launch(name)

    async def completed(self, *lanes: LaneKey) -> int:
        """Packets of these lanes, or of all, that ended at their source."""
        return await self._counted("completedCount", lanes=lanes)

    async def goes_on(self) -> None:
        """Returns once the hub has got further with any packet than it is now."""
        before = await self._counted(*PROGRESS)

        async def is_further() -> bool:
            return await self._counted(*PROGRESS) > before

        await self.until(is_further, "any progress")

    async def ended(self, count: int, *lanes: LaneKey) -> None:
        """Returns once *count* packets of these lanes, or of all, have ended at their source."""

        async def all_have() -> bool:
            return await self.completed(*lanes) >= count

        await self.until(all_have, f"the end of {count} packets")

    async def packets(self, lane: LaneKey, state: str) -> list[Any]:
        """The lane's packets that are in *state*, at most 1,000, as the hub tells of them."""
        words = ("packet", "list", lane, "--state", state, "--limit", "1000")
        return list((await self.cli(*words, "--output", "json"))["packets"])

    async def received(self, lane: LaneKey) -> int:
        """What the destination's chain minted of what the source's users sent."""
        there = self.cities[str(lane.destination_peer)].chain
        minted = ledger.voucher(lane.destination_client, TOKEN)
        return (await ledger.supply(there)).get(minted, 0)

    async def standing(self, lane: LaneKey) -> set[int]:
        """Sequences that the source's chain still holds committed: they have not ended there."""
        here = self.cities[str(lane.source_peer)].chain
        return await ledger.commitments(here, lane.source_client)

    async def verified_heights(self, peer: str) -> tuple[int, ...]:
        """Heights of *peer*'s chain whose headers the hub has verified, rising."""
        config = tomllib.loads(self.network.layout.config(HUB).read_text(encoding="utf-8"))
        async with await PostgresRegistry.connect(config["database_url"]) as registry:
            return tuple(await registry.clients.heights(PeerId(peer), 1, MAX_HEIGHT))

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Returns when it holds; fails, with the ends of the logs, when it takes too long."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await holds():  # noqa: ASYNC110 - processes set no event
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            lines = [self._last_lines(name) for name in (HUB, RELAYER, *self.cities)]
            told = await self.cli("lane", "list")
            raise AssertionError("\n".join([f"waited for {what}", told, *lines])) from None

    async def conserved(self, lane: LaneKey) -> None:
        """No token was made or lost: what is locked on a chain is what the other one minted."""
        for key in (lane, lane.reverse):
            source = self.cities[str(key.source_peer)]
            supply = await ledger.supply(source.chain)
            assert supply[TOKEN] == HELD * USERS, supply
            escrow = ledger.escrow(key.source_client)
            locked = (await ledger.balances(source.chain, escrow)).get(TOKEN, 0)
            minted = await self.received(key)
            assert locked == minted, f"{key}: {locked} locked, {minted} minted"

    def _last_lines(self, name: str) -> str:
        found = self.network.last_lines(name, LAST_LINES)
        return "\n".join([f"{name}: {line[:LINE]}" for line in found])

    async def _counted(self, *counts: str, lanes: Collection[LaneKey] = ()) -> int:
        """The sum of these counts over *lanes*, or over all."""
        told = (await self.cli("lane", "list", "--output", "json"))["lanes"]
        wanted = [one for one in told if not lanes or LaneKey.parse(one["name"]) in lanes]
        return sum(int(lane.get(count, 0)) for lane in wanted for count in counts)

    def write_config(self, peer: str, **changes: object) -> None:
        """*peer*'s adapter is told where everything is."""
        city, layout = self.cities[peer], self.network.layout
        certificate, key, ca = layout.certificate(f"peer-{peer}")
        others = [str(other) for other in CHAINS if other != peer]
        values: dict[str, object] = {
            "peer": peer,
            "chain_id": city.chain_id,
            "nodes": [city.node_url],
            "relayers": [self.network.addresses[RELAYER]],
            "directory": str(layout.chain(peer)),
            "tls": {"cert_file": str(certificate), "key_file": str(key), "ca_file": str(ca)},
            "keys": {"file": str(city.keys_file)},
            "counterparties": {other: str(layout.anchor(peer, other)) for other in others},
        }
        write(layout.config(peer), values | changes)

    async def _write_anchor(self, city: City) -> None:
        """Each operator writes the chain's anchor into a file of its own."""
        text = await anchoring.peer_file(
            city.chain.rpc_url(),
            peer=city.peer,
            display_name=city.peer,
            chain_id=city.chain_id,
            height=0,
            trust=anchoring.trust_options("1/3", TRUSTING_PERIOD, "10s"),
        )
        for owner in (HUB, *map(str, CHAINS)):
            if owner != city.peer:
                file = self.network.layout.anchor(owner, city.peer)
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")


@asynccontextmanager
async def running(
    options: Mapping[str, ChainOptions], *, is_lying: bool = False
) -> AsyncIterator[Cities]:
    """Cities of chains with these options; nothing of them is left afterwards.

    *is_lying*: each adapter dials its city's ``proxy``, which may lie.
    """
    with TemporaryDirectory(prefix="ydhub-cities-") as made:
        cities = Cities(Path(made), options)
        async with AsyncExitStack() as stack:
            if is_lying:
                for city in cities.cities.values():
                    city.proxy = await stack.enter_async_context(LyingNode(city.node_url))
                    city.node_url = city.proxy.url
            stack.push_async_callback(cities.down)
            await cities.up()
            yield cities
