"""Two embedded chains attached to a relayer, over mTLS on loopback: everything real but the time.

The registry is the twin in memory, and the clock of all of them is moved by hand.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from adapters.sdk.accepted_log import AcceptedLog
from adapters.sdk.anchors import Anchors
from adapters.sdk.client import AdapterClient, Relayers
from adapters.sdk.execution import Acknowledge, ExecutionResult, PassOver, Receive, Refused
from adapters.sdk.session import City
from adapters.simchain.adapter import SimchainAdapter
from adapters.simchain.execution import account_nonce
from adapters.simchain.messages import SendPacket, Transaction
from adapters.simchain.node import Node
from adapters.simchain.queries import anchor_at, client_view
from adapters.simchain.transfer_data import TransferData, payload_of
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import PacketNotFound, SequenceOutOfOrder
from hub.core.ids import PeerId, PortId
from hub.core.lane import LaneKey, LaneState, Order
from hub.core.lifecycle import PacketState
from hub.core.ranges import RangeSet
from hub.core.record import SkippedLeaf
from hub.core.time import SECOND, whole_seconds
from hub.exchange import story
from hub.ports.lanes import OpeningPlan, OpeningState
from hub.registry.memory import MemoryRegistry
from hub.registry.memory.outcomes import MemoryOutcomes
from hub.wire import anchor_file
from relayer.app import RelayerApp
from relayer.config import RelayerConfig, Tls
from tests.harness.certificates import TRUST_DOMAIN, Certificates
from tests.harness.clock import FixedChance, ManualClock, settle, until
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.simchain import TRANSFER, TRUST, Path, chain_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path as Directory

    from adapters.sdk.chain import BatchProof, Item
    from adapters.sdk.execution import Execution
    from adapters.sdk.session import Session as AdapterSession
    from adapters.simchain.chain import Chain
    from adapters.simchain.messages import Message
    from hub.core.errors import HubError
    from hub.core.height import Height
    from hub.core.ids import ClientId
    from hub.core.packet import Packet
    from hub.core.record import Disproof, Settlement
    from hub.ports.leases import Fence
    from relayer.session import Session as RelayerSession
    from relayer.switchboard import LaneDesk

PATIENCE = 200
"""Seconds of manual time after which a test has failed."""
FIRST_BLOCKS = 3
"""Blocks that stand before anyone attaches; the last one is the anchor."""


class WilfulAdapter(SimchainAdapter):
    """An adapter that can be told to lie of executions, or to keep something to itself."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.says: Callable[[Execution], ExecutionResult | None] = lambda _: None
        """What it says of an execution that it does not run; None runs it."""
        self.refuses: dict[int, HubError] = {}
        """Sequences that its chain shall not be given; it runs the rest of what asks for them."""
        self.reports = asyncio.Event()
        """Cleared, executions are run, and not reported."""
        self.reports.set()
        self.shows_answers = True
        self.batches = 0
        """Proof batches made so far."""
        self.executions: list[Execution] = []

    async def execute(self, execution: Execution) -> ExecutionResult:
        self.executions.append(execution)
        said = self.says(execution)
        if said is not None:
            return said
        refused = self._refused(execution)
        rest = _without(execution, list(refused))
        result = ExecutionResult() if rest is None else await super().execute(rest)
        await self.reports.wait()
        entries = [Refused(number, error) for number, error in refused.items()]
        return replace(result, refused=(*result.refused, *entries))

    def _refused(self, execution: Execution) -> dict[int, HubError]:
        """Sequences that the chain is not given; in order, those after the first one too.

        It always hears of what is gone.
        """
        if isinstance(execution.action, PassOver):
            return {}
        refused = {s: self.refuses[s] for s in execution.sequences if s in self.refuses}
        if refused and execution.in_order:
            first = min(refused)
            for sequence in execution.sequences - RangeSet.span(0, first + 1):
                refused[sequence] = SequenceOutOfOrder(got=sequence, expected=first)
        return refused

    async def acknowledgements(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        if not self.shows_answers:
            return ()
        return await super().acknowledgements(client, wanted, limit, at)

    async def prove_batch(self, keys: Sequence[bytes], at: Height) -> BatchProof:
        self.batches += 1
        return await super().prove_batch(keys, at)

    def received(self) -> list[tuple[list[int], int]]:
        """Sequences and proof height of every execution that brought packets."""
        return [
            ([packet.sequence for packet in one.action.packets], one.action.proof_height.number)
            for one in self.executions
            if isinstance(one.action, Receive)
        ]


def _without(execution: Execution, sequences: list[int]) -> Execution | None:
    """*execution* without *sequences*, as far as something is left of it."""
    action = execution.action
    if not sequences:
        return execution
    if not isinstance(action, Receive | Acknowledge) or len(sequences) == len(action.packets):
        return None
    kept = [at for at, packet in enumerate(action.packets) if packet.sequence not in sequences]
    changes: dict[str, Any] = {
        "packets": tuple([action.packets[at] for at in kept]),
        "contents": tuple([action.contents[at] for at in kept]),
        "skipped": (*action.skipped, *_leaves(action, sequences)),
    }
    if isinstance(action, Acknowledge):
        changes["acknowledgements"] = tuple([action.acknowledgements[at] for at in kept])
    return replace(execution, action=replace(action, **changes))


def _leaves(action: Receive | Acknowledge, sequences: list[int]) -> list[SkippedLeaf]:
    """What the batch of *action* shows of *sequences*."""
    if isinstance(action, Receive):
        shown = [commit_packet(packet) for packet in action.packets]
    else:
        shown = [commit_acknowledgement(answer) for answer in action.acknowledgements]
    return [
        SkippedLeaf(packet.sequence, commitment)
        for packet, commitment in zip(action.packets, shown, strict=True)
        if packet.sequence in sequences
    ]


@dataclass
class Town:
    """One chain, its node, its adapter and the session that it keeps."""

    peer: PeerId
    chain: Chain
    node: Node
    adapter: WilfulAdapter
    client: AdapterClient
    log: AcceptedLog
    running: asyncio.Task[None] | None = None

    def attach(self) -> None:
        """Its adapter dials, and dials again."""
        self.running = asyncio.ensure_future(self.client.run())

    async def detach(self) -> None:
        """Its adapter is gone."""
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
            self.running = None


Move = tuple[PacketState, PacketState]


class WatchedOutcomes(MemoryOutcomes):
    """Outcomes in memory, and every move of a packet that came of recording them."""

    def __init__(self, registry: MemoryRegistry) -> None:
        super().__init__(registry.state)
        self.moves: set[Move] = set()
        self._registry = registry

    async def record(self, fence: Fence, settlements: Sequence[Settlement]) -> None:
        before = await self._states()
        await super().record(fence, settlements)
        await self._note(before)

    async def record_delivered(self, fence: Fence, lane_id: int, sequences: RangeSet) -> None:
        before = await self._states()
        await super().record_delivered(fence, lane_id, sequences)
        await self._note(before)

    async def record_completed(self, fence: Fence, lane_id: int, indexes: RangeSet) -> None:
        before = await self._states()
        await super().record_completed(fence, lane_id, indexes)
        await self._note(before)

    async def reopen(
        self, fence: Fence, lane_id: int, gate: int, found: Sequence[Disproof]
    ) -> Mapping[int, int]:
        before = await self._states()
        times = await super().reopen(fence, lane_id, gate, found)
        await self._note(before)
        return times

    async def _states(self) -> dict[tuple[LaneKey, int], PacketState]:
        found = {}
        for row in self._registry.state.lanes.values():
            for sequence in row.packets:
                standing = await story.get(self._registry, row.lane.key, sequence)
                found[row.lane.key, sequence] = standing.state
        return found

    async def _note(self, before: dict[tuple[LaneKey, int], PacketState]) -> None:
        after = await self._states()
        self.moves |= {
            (state, after[packet]) for packet, state in before.items() if state is not after[packet]
        }


@dataclass
class Relayed:
    """Both towns, the relayer between them, and the registry behind it."""

    clock: ManualClock
    registry: MemoryRegistry
    outcomes: WatchedOutcomes
    certificates: Certificates
    app: RelayerApp
    towns: dict[PeerId, Town] = field(default_factory=dict)
    lane: LaneKey | None = None

    @property
    def left(self) -> Town:
        return self.towns[HANGZHOU]

    @property
    def right(self) -> Town:
        return self.towns[SUZHOU]

    @property
    def key(self) -> LaneKey:
        """The lane from the left to the right."""
        assert self.lane is not None
        return self.lane

    async def second(self) -> None:
        """A second passes, each chain makes a block; everyone is heard, every frame answered."""
        beating = self._beating()
        await settle()
        for town in self.towns.values():
            town.node.produce()
        await self.clock.advance(SECOND)
        now = self.clock.monotonic()
        await until(lambda: all(_is_heard(*ends, now) for ends in beating))
        await until(lambda: all(_is_answered(*ends) for ends in self._beating()))

    async def until(self, happened: Callable[[], object]) -> None:
        """Seconds pass until it has come about."""
        for _ in range(PATIENCE):
            if happened():
                return
            await self.second()
        raise AssertionError(f"did not come about in {PATIENCE} s")

    async def seconds(self, count: int) -> None:
        for _ in range(count):
            await self.second()

    async def open(
        self, order: Order = Order.UNORDERED, *, allow: bool = True, **plan_changes: Any
    ) -> LaneKey:
        """The lane of both directions is open, and transfers are allowed on it."""
        values: dict[str, Any] = {
            "source": HANGZHOU,
            "destination": SUZHOU,
            "source_client": None,
            "destination_client": None,
            "from_sequence": 0,
            "order": order,
            "allow_routes": ((TRANSFER, TRANSFER),) if allow else (),
        }
        plan = OpeningPlan(**{**values, **plan_changes})
        opening = await self.registry.lanes.start_opening(plan, ADMIN)
        openings = self.registry.state.openings
        await self.until(lambda: openings[opening.number][0].state is not OpeningState.RUNNING)
        found = openings[opening.number][0]
        assert found.state is OpeningState.DONE, found
        self.lane = found.lanes[0]
        await self.until(lambda: self.app.board.desks.get(self.key))
        return self.key

    @property
    def desk(self) -> LaneDesk:
        """The lane as the relayer knows it."""
        return self.app.board.desks[self.key]

    async def pause(self) -> None:
        """The lane is paused, and the relayer knows it."""
        await self.registry.lanes.pause(self.key, "inspection", ADMIN)
        await self.until(lambda: self.desk.view.lane.state is LaneState.PAUSED)

    def pending(self, sequence: int = 1) -> Packet:
        """The packet that the left chain still commits to."""
        return self.left.chain.ledger.outgoing[self.key.source_client].pending[sequence].packet

    async def show_answers(self) -> None:
        """The right's adapter shows again what it kept to itself."""
        adapter, session = self.right.adapter, self.right.client._session
        adapter.shows_answers = True
        assert session is not None
        session.pump.see(replace(await adapter.head(None), active=None))

    async def carry(self, town: Town, make: Callable[[Path, Chain], Message]) -> None:
        """Somebody else brings the left chain's packets forth or back: a message to *town*."""
        chain = town.chain
        ends: dict[str, ClientId] = {
            self.left.chain.config.chain_id: self.key.source_client,
            self.right.chain.config.chain_id: self.key.destination_client,
        }
        path = Path(self.left.chain, self.right.chain, self.clock.now(), ends)
        message = make(path, self.left.chain)
        height = message.proof_height.number  # type: ignore[union-attr]
        messages: tuple[Message, ...] = (message,)
        if height not in client_view(chain, path.client(chain)).heights:
            messages = (path.update(chain, height), message)
        tx_hash = chain.submit(Transaction(signer="others", nonce=0, messages=messages))
        await self.second()
        result = chain.result(tx_hash)
        assert result is not None
        assert result.error is None, result.error

    def submit(
        self,
        town: Town,
        count: int = 1,
        *,
        timeout: int = 600,
        port: str = TRANSFER,
        client: ClientId | None = None,
    ) -> None:
        """Transfers of *town* go into its next block; *timeout* in seconds from now.

        They go over the lane, or over another *client* of the town.
        """
        if client is None:
            client = (self.key if town is self.left else self.key.reverse).source_client
        data = TransferData(
            denomination=f"{town.peer}coin", amount=1, sender="alice", receiver="bob"
        )
        message = SendPacket(
            client=client,
            timeout_timestamp=whole_seconds(self.clock.now()) + timeout,
            payloads=(payload_of(PortId(port), data),),
        )
        nonce = account_nonce(town.chain.state, "alice") + 1
        town.chain.submit(Transaction(signer="alice", nonce=nonce, messages=(message,) * count))

    async def state(self, sequence: int = 1) -> PacketState | None:
        """Where the packet stands, as the registry tells; None while it is not known."""
        try:
            return (await story.get(self.registry, self.key, sequence)).state
        except PacketNotFound:
            return None

    async def reaches(self, state: PacketState, *sequences: int) -> None:
        """The packets come to stand at *state*."""
        for sequence in sequences or (1,):
            found = None
            for _ in range(PATIENCE):
                found = await self.state(sequence)
                if found is state:
                    break
                await self.second()
            else:
                raise AssertionError(f"packet {sequence} is {found}, not {state}")

    def _beating(self) -> list[tuple[RelayerSession, AdapterSession]]:
        """Both ends of every session that stands."""
        pairs = [
            (self.app.board.sessions.get(town.peer), town.client._session)
            for town in self.towns.values()
        ]
        return [(ours, theirs) for ours, theirs in pairs if ours and theirs and theirs.is_welcome]


def _is_heard(ours: RelayerSession, theirs: AdapterSession, now: int) -> bool:
    """Both ends have heard of each other in the second before *now*, or one of them has ended."""
    if ours.ended.is_set() or theirs._stream._call.done():
        return True
    return min(ours._heard_at, theirs._stream._heard_at) > now - SECOND


def _is_answered(ours: RelayerSession, theirs: AdapterSession) -> bool:
    """Nothing that the adapter showed waits for a verdict."""
    return ours.ended.is_set() or (not ours._charged.frames and theirs.pump._outbox.is_idle)


@asynccontextmanager
async def relayed(directory: Directory, **changes: Any) -> AsyncIterator[Relayed]:
    """Two towns attached to a relayer, no lane open; *changes* are of both chains' configuration.

    Each operator has written down the other's anchor.
    """
    certificates, clock = Certificates.make(directory / "certs"), ManualClock()
    registry = MemoryRegistry(clock)
    outcomes = registry.outcomes = WatchedOutcomes(registry)
    cert_file, key_file, ca_file = certificates.files("/relayers/east-1", serves=True)
    tls = Tls(cert_file=str(cert_file), key_file=str(key_file), ca_file=str(ca_file))
    config = RelayerConfig(
        name="east-1",
        listen="127.0.0.1:0",
        database_url="",
        trust_domain=TRUST_DOMAIN,
        tls=tls,
    )
    app = RelayerApp(config, registry, clock, FixedChance())
    port = await app.start()
    world = Relayed(clock, registry, outcomes, certificates, app)
    for peer in (HANGZHOU, SUZHOU):
        world.towns[peer] = _town(world, peer, directory, f"127.0.0.1:{port}", **changes)
    for _ in range(FIRST_BLOCKS):
        await clock.advance(SECOND)
        for town in world.towns.values():
            town.node.produce()
    for town in world.towns.values():
        anchor = anchor_at(town.chain, FIRST_BLOCKS, TRUST)
        anchor_file.write(directory / f"{town.peer}.yaml", anchor, peer=town.peer)
        await registry.peers.register(town.peer, town.peer.capitalize(), anchor, ADMIN)
        town.attach()
    await until(lambda: len(app.gateway.owners) == len(world.towns))
    try:
        yield world
    finally:
        for town in world.towns.values():
            await town.detach()
        await app.stop()
        for town in world.towns.values():
            town.log.close()


def _town(world: Relayed, peer: PeerId, directory: Directory, relayer: str, **changes: Any) -> Town:
    chain = chain_of(peer, **changes)
    node = Node(chain, world.clock)
    adapter = WilfulAdapter(node)
    other = SUZHOU if peer == HANGZHOU else HANGZHOU
    log = AcceptedLog(directory / f"{peer}.accepted.jsonl")
    cert_file, key_file, ca_file = map(str, world.certificates.files(f"/peers/{peer}"))
    client = AdapterClient(
        City(
            chain=adapter,
            anchors=Anchors.of_files({other: directory / f"{other}.yaml"}),
            log=log,
            clock=world.clock,
            randomness=FixedChance(),
            adapter="wilful 1",
        ),
        Relayers(addresses=[relayer], cert_file=cert_file, key_file=key_file, ca_file=ca_file),
    )
    return Town(peer, chain, node, adapter, client, log)
