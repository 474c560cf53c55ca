"""A relayer's board over two embedded chains, with adapters that say what a test tells them.

There is no network: an adapter's end is the session itself. Headers and proofs are the chains' own,
the registry is the twin in memory, time is moved by hand.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ydhub.client.v1 import client_pb2
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.sdk.wire.decode import execution_from_proto
from adapters.sdk.wire.encode import (
    anchor_header_needed,
    clients_answer,
    headers_answer,
    proofs_answer,
    refusal_to_proto,
    report_to_proto,
)
from adapters.simchain import client_store
from adapters.simchain.adapter import SimchainAdapter, _messages, _read
from adapters.simchain.messages import CreateClient, RegisterCounterparty
from adapters.simchain.node import Node
from adapters.simchain.queries import anchor_at, client_view, height_at, prove, prove_batch
from hub.core.errors import HubError
from hub.core.ids import ClientId
from hub.core.paths import acknowledgement_key, commitment_key
from hub.core.time import SECOND, Timestamp
from hub.registry.memory import MemoryRegistry
from hub.wire.frames import headers_to_proto
from hub.wire.headers import header_from_proto, height_to_proto
from hub.wire.packet import encode_acknowledgement, encode_packet
from relayer.chain_clients import ChainClients
from relayer.openings import Openings
from relayer.owner import PeerOwner
from relayer.session import Session
from relayer.switchboard import Switchboard
from relayer.telemetry import Telemetry
from tests.harness.clock import START, FixedChance, ManualClock, settle, until
from tests.harness.exchange import (
    ANCHOR_HEIGHT,
    HANGZHOU,
    LEASE,
    RELAYER,
    SUZHOU,
    Exchange,
)
from tests.harness.simchain import TRUST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence, Set

    from adapters.simchain.chain import Chain
    from hub.core.client import Header
    from hub.core.ids import PeerId
    from hub.core.packet import Packet
    from hub.ports.leases import Fence
    from relayer.headers import HeaderKeeper
    from relayer.switchboard import LaneDesk

NOW = Timestamp(START + 3600 * SECOND)
"""An hour after the chains' first blocks, so that none of their headers is from the future."""


class ScriptedAdapter:
    """The adapter's end of a session: honest, but for what it is told to say instead."""

    def __init__(self, exchange: Exchange, peer: PeerId, session: Session) -> None:
        self.session = session
        self.chain: Chain = exchange.chain(peer)
        self.answers: Callable[[pb.Request], pb.Answer | None] = lambda _: None
        """What it answers instead of the truth; None is the truth."""
        self.reports: Callable[[pb.Execution], pb.ExecutionReport | None] = lambda _: None
        """What it reports of an execution that it does not run; None runs it."""
        self.answers_nothing = False
        self.reports_nothing = False
        self.needs_anchor_header = False
        self.anchor_headers: list[Header] = []
        """What it was given to create clients with."""
        self.frames: list[pb.RelayerFrame] = []
        self.verdicts: dict[int, pb.Verdict] = {}
        self.executions: list[pb.Execution] = []
        self.requests: list[pb.Request] = []
        self._exchange = exchange
        self._queries = SimchainAdapter(Node(self.chain, ManualClock()))
        self._last_id = session._last_frame_id
        self._running = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    def say(self, **body: Any) -> int:
        """The id under which a frame with that body reaches the relayer."""
        self._last_id += 1
        self.session.receive(pb.AdapterFrame(frame_id=self._last_id, **body))
        return self._last_id

    async def verdict(self, **body: Any) -> pb.Verdict:
        """The relayer's verdict on a frame with that body."""
        number = self.say(**body)
        await until(lambda: number in self.verdicts)
        return self.verdicts[number]

    async def show(self, *headers: Header) -> pb.Verdict:
        """The verdict on *headers*; without any, on the newest one."""
        shown = headers or (self.chain.light_block(self.chain.height).header,)
        return await self.verdict(headers=headers_to_proto(shown))

    def packets(self, shown: Sequence[Packet], **changes: Any) -> pb.PacketBatch:
        """The packets *shown* of the lane from here, proven under the newest header."""
        key = self._lane_from_here()
        keys = [commitment_key(key.source_client, packet.sequence) for packet in shown]
        values: dict[str, Any] = {
            "lane": key.name,
            "proof_height": height_to_proto(height_at(self.chain, self.chain.height)),
            "packets": [encode_packet(packet) for packet in shown],
            "proof_batch": prove_batch(self.chain, keys, self.chain.height).proof,
        }
        return pb.PacketBatch(**{**values, **changes})

    def acknowledgements(
        self, packets: Sequence[Packet], **changes: Any
    ) -> pb.AcknowledgementBatch:
        """The answers to *packets* of the lane that ends here, proven under the newest header."""
        key = self._lane_from_here().reverse
        client, height = key.destination_client, self.chain.height
        keys = [acknowledgement_key(client, packet.sequence) for packet in packets]
        answers = [self.chain.ledger.answer(client, packet.sequence) for packet in packets]
        values: dict[str, Any] = {
            "lane": key.name,
            "proof_height": height_to_proto(height_at(self.chain, height)),
            "sequences": [packet.sequence for packet in packets],
            "acknowledgements": [
                encode_acknowledgement(answer.acknowledgement) for answer in answers if answer
            ],
            "proof_batch": prove_batch(self.chain, keys, height).proof,
        }
        return pb.AcknowledgementBatch(**{**values, **changes})

    def answer(self, request: pb.Request) -> pb.Answer:
        """The truth, from the chain."""
        match request.WhichOneof("body"):
            case "headers":
                blocks = [self.chain.light_block(number) for number in request.headers.heights]
                return headers_answer([block.header for block in blocks])
            case "proofs":
                return self.prove(request.proofs)
            case "client":
                return self.clients(request.client.client)
            case "create_client":
                return self._create(request.create_client)
            case "register_counterparty":
                return self._register(request.register_counterparty)
            case other:
                raise NotImplementedError(other)

    def clients(self, client: str) -> pb.Answer:
        """The client, proven under the newest header."""
        return clients_answer([self._queries._proven(client_view(self.chain, ClientId(client)))])

    def _create(self, request: pb.CreateClient) -> pb.Answer:
        """The client of this opening, from the operator's own anchor; the one before, if any."""
        path = self._exchange.path
        anchor = anchor_at(path.other(self.chain), ANCHOR_HEIGHT, TRUST)
        if request.HasField("anchor_header"):
            self.anchor_headers.append(header_from_proto(request.anchor_header))
        elif self.needs_anchor_header:
            return anchor_header_needed(anchor.height)
        create = CreateClient(anchor=anchor, ordered=request.ordered, opening=request.opening)
        result = path.run(self.chain, create)
        if result.error is not None:
            raise result.error
        path.advance()
        client = client_store.opened(self.chain.state, request.opening)
        assert client is not None
        return self.clients(client)

    def _register(self, request: pb.RegisterCounterparty) -> pb.Answer:
        message = RegisterCounterparty(
            client=ClientId(request.client),
            counterparty=ClientId(request.counterparty_client),
            prefix=tuple(request.counterparty_prefix),
        )
        result = self._exchange.path.run(self.chain, message)
        if result.error is not None:
            raise result.error
        self._exchange.path.advance()
        return self.clients(request.client)

    def prove(self, request: pb.ProofRequest) -> pb.Answer:
        """The true proofs."""
        number = request.height.number
        height, keys = height_at(self.chain, number), list(request.keys)
        if request.batch:
            found = prove_batch(self.chain, keys, number)
            return proofs_answer(height, found.values, [found.proof])
        shown = [prove(self.chain, key, number) for key in keys]
        return proofs_answer(height, [one.value or b"" for one in shown], [o.proof for o in shown])

    def execute(self, execution: pb.Execution) -> pb.ExecutionReport:
        """What the chain makes of it, in the next block."""
        decoded = execution_from_proto(execution)
        result = self._exchange.path.run(self.chain, *_messages(decoded))
        if result.error is not None:
            refused = [refusal_to_proto(result.error)]
            return pb.ExecutionReport(execution_id=execution.execution_id, refused=refused)
        view = client_view(self.chain, decoded.client)
        other = self._exchange.path.other(self.chain)
        trusted = tuple([height_at(other, number) for number in view.heights[-64:]])
        return report_to_proto(execution.execution_id, _read(result, trusted)).report

    def _lane_from_here(self) -> Any:
        key = self._exchange.key
        return key if self.chain is self._exchange.path.left else key.reverse

    async def _run(self) -> None:
        while (frame := await self.session.next_frame()) is not None:
            self.frames.append(frame)
            match frame.WhichOneof("body"):
                case "verdict":
                    self.verdicts[frame.verdict.frame_id] = frame.verdict
                case "request":
                    self.requests.append(frame.request)
                    await self._answer(frame.request)
                case "execution":
                    self.executions.append(frame.execution)
                    if not self.reports_nothing:
                        found = self.reports(frame.execution) or self.execute(frame.execution)
                        found.execution_id = frame.execution.execution_id
                        self.say(report=found)
                case _:
                    pass

    async def _answer(self, request: pb.Request) -> None:
        if self.answers_nothing:
            return
        try:
            found = self.answers(request) or self.answer(request)
        except HubError as error:
            found = pb.Answer(refusal=refusal_to_proto(error))
        found.request_id = request.request_id
        self.say(answer=found)


@dataclass
class Station:
    """The board, and both ends of it."""

    exchange: Exchange
    clock: ManualClock
    board: Switchboard
    telemetry: Telemetry = field(default_factory=Telemetry)
    adapters: dict[PeerId, ScriptedAdapter] = field(default_factory=dict)
    owners: dict[PeerId, PeerOwner] = field(default_factory=dict)

    @property
    def registry(self) -> MemoryRegistry:
        return self.exchange.registry

    @property
    def left(self) -> ScriptedAdapter:
        return self.adapters[HANGZHOU]

    @property
    def right(self) -> ScriptedAdapter:
        return self.adapters[SUZHOU]

    def session(self, peer: PeerId, **hello: Any) -> Session:
        """A session whose adapter has said hello."""
        values = {
            "protocol_versions": [1],
            "chain_id": self.exchange.chain(peer).config.chain_id,
            "order_enforceable": True,
            "execution_credits": 8,
            **hello,
        }
        first = pb.AdapterFrame(frame_id=1, hello=pb.Hello(**values))
        return Session(peer, first, self.clock)

    async def wire(self, *peers: PeerId) -> Station:
        """The peers' adapters are attached, and nothing runs for them here."""
        for peer in peers or (HANGZHOU, SUZHOU):
            adapter = self._adapter(peer)
            keeper = await self.board.keeper(peer)
            await keeper.refresh()
            keeper.attach(self.exchange.fences[peer], adapter.session)
            self.board.sessions[peer] = adapter.session
            self.board.chain_clients[peer] = ChainClients(adapter.session, keeper)
        return self

    async def own(self, *peers: PeerId) -> Station:
        """The peers' adapters are attached, and everything runs for them here."""
        for peer in peers or (HANGZHOU, SUZHOU):
            adapter = self._adapter(peer)
            owner = PeerOwner(self.board, adapter.session, await self.lease(peer), self.telemetry)
            await owner.start()
            self.owners[peer] = owner
        return self

    async def lease(self, peer: PeerId) -> Fence:
        """A new epoch of the peer's lease."""
        fence = await self.registry.leases.acquire(peer, RELAYER, LEASE)
        assert fence is not None
        self.exchange.fences[peer] = fence
        return fence

    async def know(self) -> None:
        """The hub has every header of both chains; nobody showed them."""
        await self.exchange.show_all()
        for peer in (HANGZHOU, SUZHOU):
            await self.board.refresh(peer)

    async def keeper(self, peer: PeerId) -> HeaderKeeper:
        return await self.board.keeper(peer)

    async def desk(self) -> LaneDesk:
        """The lane from the left to the right."""
        return await self.board.desk(self.exchange.key)

    async def fresh_desk(self) -> LaneDesk:
        """The lane, as the registry has it now."""
        desk = await self.desk()
        desk.refreshed(await self.registry.lanes.view(desk.view.lane.lane_id))
        return desk

    async def seconds(self, count: int, *, heard: Iterable[PeerId] = (HANGZHOU, SUZHOU)) -> None:
        """Seconds pass, in each of which the adapters named are heard."""
        for _ in range(count):
            for peer in heard:
                if peer in self.adapters and not self.adapters[peer].session.ended.is_set():
                    self.adapters[peer].say(heartbeat=pb.Heartbeat())
            await self.clock.advance(SECOND)

    async def rests(self) -> None:
        """Everything that was begun is done, also in the verification pool."""
        for _ in range(4):
            await settle()
            await asyncio.get_running_loop().run_in_executor(self.board.pool, int)
        await settle()

    async def close(self) -> None:
        for owner in self.owners.values():
            await owner.stop()
        for adapter in self.adapters.values():
            await adapter.close()

    def _adapter(self, peer: PeerId) -> ScriptedAdapter:
        adapter = ScriptedAdapter(self.exchange, peer, self.session(peer))
        self.adapters[peer] = adapter
        return adapter


@asynccontextmanager
async def station(*, opened: bool = True) -> AsyncIterator[Station]:
    """A board over an exchange whose lane is open, unless told otherwise; nobody is attached."""
    clock = ManualClock(NOW)
    registry = MemoryRegistry(clock)
    exchange = await (Exchange.opened(registry) if opened else Exchange.make(registry))
    exchange.grow(1)  # so that a header shows both clients as they are
    await exchange.show_all()
    with ThreadPoolExecutor(1) as pool:
        board = Switchboard(registry, clock, FixedChance(), pool, RELAYER)
        found = Station(exchange, clock, board)
        try:
            yield found
        finally:
            await found.close()


async def open_all(board: Switchboard, attached: Set[PeerId]) -> None:
    """Every running opening has been taken as far as it goes, once."""
    openings = Openings(board, attached)
    await openings.start_all()
    await asyncio.gather(*openings.tries.values())


def proto_height(number: int, revision: int = 1) -> client_pb2.Height:
    return client_pb2.Height(revision=revision, number=number)


def goes_on() -> None:
    """Whoever carries something tells that a part of it is done."""
