"""Two cities, two relayers and one registry on one simulated machine park, from one seed."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import structlog

from adapters.simchain.execution import account_nonce
from adapters.simchain.messages import SendPacket, Transaction
from adapters.simchain.queries import anchor_at
from adapters.simchain.transfer_data import TransferData, hop, payload_of
from hub.core.ids import PortId
from hub.core.lane import LaneKey, Order
from hub.core.time import whole_seconds
from hub.ports.lanes import OpeningPlan
from hub.registry.memory import MemoryRegistry
from tests.harness.clock import START
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.simchain import TRANSFER, TRUST, chain_of, path_of
from tests.simulation.city import SimTown
from tests.simulation.clock import SimClock
from tests.simulation.database import Link, RemoteRegistry, done
from tests.simulation.loop import SECOND, SimLoop
from tests.simulation.model import Broken, Model
from tests.simulation.network import Network
from tests.simulation.relayer import SimRelayer
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.core.ids import PeerId
    from tests.harness.simchain import Path
    from tests.simulation.loop import Process

RELAYERS = ("east", "west")
UNLISTED = PortId("unlisted")
"""Its application stands on both chains, and no route allows it."""
BLOCK = SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a run is made of, besides its faults."""

    order: Order = Order.UNORDERED
    packets: int = 20
    lives: tuple[int, ...] = (5, 10, 20, 600)
    """Seconds from sending to the timeout, one of which is drawn for each packet."""


@dataclass
class World:
    """Everything of one run."""

    seed: int
    setup: Setup
    loop: SimLoop
    chance: Random
    trace: Trace
    network: Network
    registry: MemoryRegistry
    model: Model
    towns: dict[PeerId, SimTown]
    lanes: tuple[LaneKey, LaneKey]
    database: Process
    relayers: dict[str, SimRelayer] = field(default_factory=dict)
    trap: tuple[str, str] | None = None
    """(relayer, write) after which that relayer dies before it hears of it."""
    broken: list[BaseException] = field(default_factory=list)
    on_trap: Callable[[str], None] = lambda _: None

    def begin(self) -> None:
        """All of it runs; nobody has sent anything."""
        self.network.tap = self._sends
        for name in RELAYERS:
            self.start_relayer(name)
        for town in self.towns.values():
            town.on_block = self.guard(self.model.block)
            town.told = self.guard(self.model.was_told)
            town.begin(BLOCK)
            self.attach(town)

    def start_relayer(self, name: str) -> None:
        """A relayer's process begins, with nothing in its memory."""
        link = Link(self.loop, self.database, self.chance)
        link.read = partial(self._heard, name)
        registry = RemoteRegistry(link, self.registry, partial(self._wrote, name))
        relayer = SimRelayer(self.loop, self.network, registry, name, self.chance)
        self.relayers[name] = relayer
        relayer.begin()

    def kill_relayer(self, name: str) -> None:
        """A relayer is gone."""
        self.model.gates.pop(name, None)
        self.relayers.pop(name).die()

    def attach(self, town: SimTown) -> None:
        """A town's adapter begins, and dials the relayers in an order of its own."""
        addresses = [f"{name}:1" for name in RELAYERS]
        self.chance.shuffle(addresses)
        town.attach(addresses)

    def send(self, peer: PeerId) -> None:
        """A user sends a transfer, which may be one that fails, or comes home, or is denied."""
        town, chance = self.towns[peer], self.chance
        lane = self.lanes[0] if peer == HANGZHOU else self.lanes[1]
        data = TransferData(
            denomination=self._token(peer, lane),
            amount=chance.randrange(1, 50),
            sender="alice",
            receiver="bob" if chance.randrange(8) else "no such account!",
        )
        is_denied = data.denomination == f"{peer}coin" and not chance.randrange(12)
        lives = min(self.setup.lives) if is_denied else chance.choice(self.setup.lives)
        count = chance.choice((1, 1, 1, 2, 5))
        message = SendPacket(
            client=lane.source_client,
            timeout_timestamp=whole_seconds(town.chain_clock.now()) + lives,
            payloads=(payload_of(UNLISTED if is_denied else TRANSFER, data),),
        )
        nonce = account_nonce(town.chain.state, "alice") + 1
        town.chain.submit(Transaction(signer="alice", nonce=nonce, messages=(message,) * count))

    def note(self, who: str, what: str) -> None:
        """A line of the trace."""
        self.trace.note(self.loop.now, who, what)

    def guard(self, check: Callable[..., None]) -> Callable[..., None]:
        """*check*, which ends the run where it fails, whoever runs it."""

        def guarded(*args: Any) -> None:
            try:
                check(*args)
            except Exception as error:  # noqa: BLE001 - the run ends by it
                self.broken.append(error)

        return guarded

    def kill_all(self) -> None:
        """Nothing runs any more, and what was running is put away."""
        hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
        for process in list(self.loop._processes):
            self.loop.kill(process)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # some had not begun
            for task in self.loop.tasks:
                with suppress(BaseException):  # they died
                    task.get_coro().close()
        self.loop.tasks.clear()
        self.loop.close()
        sys.unraisablehook = hook

    def _token(self, peer: PeerId, lane: LaneKey) -> str:
        """The city's own coin, or a voucher that alice got here."""
        other = SUZHOU if peer == HANGZHOU else HANGZHOU
        voucher = hop(TRANSFER, lane.source_client) + f"{other}coin"
        return voucher if not self.chance.randrange(4) else f"{peer}coin"

    def _sends(self, ends: tuple[str, str], frame: Any) -> None:
        if frame.WhichOneof("body") == "execution":
            self.guard(self.model.hands_over)(ends[0], frame.execution, self.loop.now)

    def _heard(self, relayer: str, method: str, found: Any) -> None:
        if method in {"view", "views", "views_of"}:
            views = [found] if method == "view" else found
            self.model.heard_gates(relayer, views, self.loop.now)

    def _wrote(self, relayer: str, part: str, method: str, args: tuple[Any, ...]) -> None:
        self.guard(self.model.wrote)(relayer, part, method, args)
        if self.trap == (relayer, method):
            self.trap = None
            self.on_trap(relayer)


def make(seed: int, setup: Setup, *, keep: bool = False) -> World:
    """A world whose lanes are open; nothing runs yet."""
    chance = Random(seed)
    loop, trace = SimLoop(Random(chance.random())), Trace(keep=keep)
    ports = (TRANSFER, UNLISTED)
    chains = [chain_of(name, ports=ports) for name in (HANGZHOU, SUZHOU)]
    path = path_of(*chains).open(ordered=setup.order is Order.ENFORCED)
    loop.now = path.now - START
    registry = MemoryRegistry(SimClock(loop))
    network = Network(loop, chance, trace)
    lanes = _open(registry, path, setup.order)
    towns = {
        peer: SimTown(loop, network, peer, chain, chance)
        for peer, chain in zip((HANGZHOU, SUZHOU), chains, strict=True)
    }
    model = Model(
        {peer: town.chain for peer, town in towns.items()}, lanes, setup.order, registry.state
    )
    world = World(
        seed,
        setup,
        loop,
        chance,
        trace,
        network,
        registry,
        model,
        towns,
        lanes,
        loop.process("database"),
    )
    structlog.configure(processors=[partial(_log, world)], cache_logger_on_first_use=False)
    return world


def _open(registry: MemoryRegistry, path: Path, order: Order) -> tuple[LaneKey, LaneKey]:
    """Both lanes are open in the registry; it knows of no header but the anchors."""
    ends = [(HANGZHOU, path.left), (SUZHOU, path.right)]
    names = [(peer, path.client(chain)) for peer, chain in ends]
    there = LaneKey(*names[0], *names[1])
    plan = OpeningPlan(
        source=HANGZHOU,
        destination=SUZHOU,
        source_client=None,
        destination_client=None,
        from_sequence=0,
        order=order,
        allow_routes=((TRANSFER, TRANSFER),),
    )

    async def opened() -> None:
        for peer, chain in ends:
            anchor = anchor_at(chain, chain.height, TRUST)
            await registry.peers.register(peer, peer.capitalize(), anchor, ADMIN)
        opening = await registry.lanes.start_opening(plan, ADMIN)
        await registry.lanes.finish_opening(opening.number, [(there, 1), (there.reverse, 1)])

    done(opened())
    return there, there.reverse


def _log(world: World, logger: object, level: str, event: dict[str, Any]) -> Any:
    """Every log line is a line of the trace; one that tells of a fault of ours ends the run."""
    del logger
    error = event.get("exc_info")
    names = sorted(set(event) - {"event", "exc_info"})
    what = " ".join([str(event["event"]), *[f"{name}={event[name]}" for name in names]])
    process = _process()
    world.note(process.name if process else "-", f"{level} {what}")
    if level == "exception" or error:
        found = sys.exc_info()[1] if error in (None, True) else error
        if not isinstance(found, Broken):
            world.broken.append(Broken("no fault of ours", f"{what}: {found!r}"))
    raise structlog.DropEvent


def _process() -> Process | None:
    from tests.simulation.loop import _PROCESS

    return _PROCESS.get()
