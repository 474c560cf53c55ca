"""Two embedded chains at a registry in memory, carried by hand as a relayer would.

Everything in the registry is real: headers are the chains' own, proofs end at their roots.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.simchain.queries import PREFIX, anchor_at, height_at, prove, prove_batch
from hub.core.client import ChainClient, VerifiedHeader
from hub.core.ids import ClientId, PeerId
from hub.core.lane import LaneKey, Order, Route, RouteAction, RouteKey
from hub.core.paths import acknowledgement_key, commitment_key, receipt_key
from hub.core.ranges import RangeSet
from hub.core.record import (
    Acceptance,
    Denial,
    FrameProof,
    NewOutcome,
    NewPacket,
    OutcomeKind,
    Settlement,
)
from hub.core.time import SECOND, Duration
from hub.ports.caller import Caller
from hub.ports.lanes import OpeningPlan
from hub.registry.memory import MemoryRegistry
from hub.wire.packet import encode_acknowledgement, encode_packet
from tests.harness.registry import add_headers
from tests.harness.simchain import LIGHT_CLIENT, TRANSFER, TRUST, Path, path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapters.simchain.chain import Chain
    from hub.core.client import Anchor
    from hub.core.packet import Packet
    from hub.core.record import SkippedLeaf
    from hub.ports.leases import Fence

ADMIN = Caller(identity="spiffe://ydhub.local/admins/li")
ANCHOR_HEIGHT = 2
LEASE = Duration(3600 * SECOND)
RELAYER = "east-1"
HANGZHOU, SUZHOU = PeerId("hangzhou"), PeerId("suzhou")


@dataclass
class Exchange:
    """Hangzhou sends to Suzhou; the registry holds what was carried."""

    registry: MemoryRegistry
    path: Path
    fences: dict[PeerId, Fence] = field(default_factory=dict)

    @classmethod
    async def make(cls, registry: MemoryRegistry | None = None) -> Exchange:
        """Both peers are registered and attached; no lane is open."""
        exchange = cls(registry or MemoryRegistry(), path_of().open())
        for peer in (HANGZHOU, SUZHOU):
            await exchange.registry.peers.register(
                peer, peer.capitalize(), exchange.anchor(peer), ADMIN
            )
            fence = await exchange.registry.leases.acquire(peer, RELAYER, LEASE)
            assert fence is not None
            exchange.fences[peer] = fence
            await exchange.attach(peer)
        await exchange.show_all()
        return exchange

    @classmethod
    async def opened(cls, registry: MemoryRegistry | None = None) -> Exchange:
        """The lane of both directions is open from sequence 1; transfers are allowed."""
        exchange = await cls.make(registry)
        await exchange.open()
        return exchange

    @property
    def key(self) -> LaneKey:
        """The lane from Hangzhou to Suzhou."""
        return LaneKey(
            HANGZHOU,
            self.path.client(self.path.left),
            SUZHOU,
            self.path.client(self.path.right),
        )

    def chain(self, peer: PeerId) -> Chain:
        """The peer's chain."""
        return self.path.left if peer == HANGZHOU else self.path.right

    def anchor(self, peer: PeerId, height: int = ANCHOR_HEIGHT) -> Anchor:
        """The anchor that an operator wrote down of the peer's chain."""
        return anchor_at(self.chain(peer), height, TRUST)

    async def attach(self, peer: PeerId, *, attached: bool = True) -> None:
        """The peer's adapter is attached, or not."""
        await self.registry.leases.renew(self.fences[peer], LEASE, attached=attached)

    async def open(self, *routes: tuple[str, str]) -> None:
        """The lanes of both directions are open."""
        plan = OpeningPlan(
            source=HANGZHOU,
            destination=SUZHOU,
            source_client=None,
            destination_client=None,
            from_sequence=0,
            order=Order.UNORDERED,
            allow_routes=routes or ((TRANSFER, TRANSFER),),
        )
        opening = await self.registry.lanes.start_opening(plan, ADMIN)
        lanes = [(self.key, 1), (self.key.reverse, 1)]
        await self.registry.lanes.finish_opening(opening.number, lanes)

    async def lane_id(self) -> int:
        """The registry's number of the lane."""
        return (await self.registry.lanes.get(self.key)).lane_id

    async def show_all(self) -> None:
        """The hub has every header of both chains from the anchors on."""
        for peer in (HANGZHOU, SUZHOU):
            await self.show(peer, range(ANCHOR_HEIGHT, self.chain(peer).height + 1))

    async def show(self, peer: PeerId, heights: Iterable[int]) -> None:
        """The hub has these headers of the peer's chain."""
        headers = [self.chain(peer).light_block(height).header for height in heights]
        verified = [
            VerifiedHeader(header=header, state=LIGHT_CLIENT.read_header(header))
            for header in headers
        ]
        await add_headers(self.registry, self.fences[peer], verified)

    async def mirror(self, peer: PeerId) -> ChainClient:
        """The client on the peer's chain is mirrored."""
        chain = self.chain(peer)
        other = self.path.other(chain)
        client = ChainClient(
            peer=peer,
            client=ClientId(self.path.client(chain)),
            chain_id=other.config.chain_id,
            latest_height=height_at(other, other.height),
            is_frozen=False,
            options=TRUST,
            counterparty=self.path.client(other),
            counterparty_prefix=PREFIX,
        )
        await self.registry.clients.put_chain_client(self.fences[peer], client)
        return client

    def grow(self, blocks: int) -> None:
        """Time passes in which nothing is sent; validators change."""
        for _ in range(blocks):
            self.path.advance()

    def send(self, count: int = 1, *, timeout: int = 600) -> list[Packet]:
        """Transfers from Hangzhou, committed; the last block proves them all."""
        packets = [self.path.send(self.path.left, timeout=timeout) for _ in range(count)]
        self.path.advance()
        return packets

    async def accept(
        self, packets: Sequence[Packet], *, denied: str = "", skipped: Sequence[SkippedLeaf] = ()
    ) -> None:
        """The hub has accepted the packets with one proof batch; denied for a reason, if given.

        The batch shows the *skipped* leaves too.
        """
        chain = self.path.left
        await self.show_all()
        taken = {packet.sequence for packet in packets}
        shown = sorted(taken | {leaf.sequence for leaf in skipped})
        keys = [commitment_key(self.key.source_client, sequence) for sequence in shown]
        proof = prove_batch(chain, keys, chain.height).proof
        view = await self.registry.lanes.view(await self.lane_id())
        acceptance = Acceptance(
            lane_id=view.lane.lane_id,
            gate=view.source.gate,
            packets=tuple(
                [
                    NewPacket(packet.sequence, encode_packet(packet), packet.timeout_timestamp)
                    for packet in packets
                ]
            ),
            denials=tuple([Denial(packet.sequence, denied) for packet in packets if denied]),
            proof=FrameProof(
                height=chain.height,
                content=proof,
                leaf_count=len(shown),
                skipped=tuple(skipped),
            ),
        )
        await self.registry.packets.accept(self.fences[HANGZHOU], [acceptance])

    async def deliver(self, packets: Sequence[Packet]) -> None:
        """Suzhou has executed the packets, and its adapter has said so."""
        message = self.path.receive(self.path.left, packets)
        result = self.path.deliver(self.path.right, message)
        assert result.error is None, result.error
        sequences = RangeSet.of([packet.sequence for packet in packets])
        await self.registry.outcomes.record_delivered(
            self.fences[SUZHOU], await self.lane_id(), sequences
        )

    async def acknowledge(self, packets: Sequence[Packet]) -> None:
        """Suzhou's acknowledgements are proven and recorded."""
        chain, client = self.path.right, self.key.destination_client
        self.path.advance()
        await self.show_all()
        keys = [acknowledgement_key(client, packet.sequence) for packet in packets]
        proof = prove_batch(chain, keys, chain.height).proof
        outcomes: list[NewOutcome] = []
        for packet in packets:
            answer = chain.ledger.answer(client, packet.sequence)
            assert answer is not None
            content = encode_acknowledgement(answer.acknowledgement)
            outcomes.append(NewOutcome(packet.sequence, OutcomeKind.ACKNOWLEDGEMENT, content))
        await self._settle(outcomes, proof, len(packets))

    async def time_out(self, packet: Packet) -> None:
        """The packet is proven not received in time, and that is recorded."""
        late = packet.timeout_timestamp - self.path.now // SECOND
        self.path.advance(max(1, late))
        self.path.advance()
        await self.absent(packet)

    async def absent(self, packet: Packet) -> None:
        """The packet is proven not received as of now, and that is recorded as its outcome."""
        chain = self.path.right
        await self.show_all()
        key = receipt_key(packet.destination_client, packet.sequence)
        proof = prove(chain, key, chain.height).proof
        await self._settle([NewOutcome(packet.sequence, OutcomeKind.ABSENCE, b"")], proof, 1)

    async def settle_elsewhere(self, sequence: int) -> None:
        """A hole is settled: others carried its packet."""
        await self._settle([NewOutcome(sequence, OutcomeKind.SETTLED_ELSEWHERE, b"")], b"", 1)

    async def complete(self, packets: Sequence[Packet]) -> None:
        """Hangzhou's adapter has reported the outcomes of the packets executed."""
        lane_id = await self.lane_id()
        found = await self.registry.outcomes.find(
            lane_id, RangeSet.of([packet.sequence for packet in packets])
        )
        indexes = RangeSet.of([outcome.outcome_index for outcome in found])
        await self.registry.outcomes.record_completed(self.fences[HANGZHOU], lane_id, indexes)

    async def allow(self, source: str, destination: str) -> None:
        """The route is allowed."""
        key = RouteKey.parse(f"{self.key}/routes/{source}~{destination}")
        await self.registry.lanes.set_route(Route(key=key, action=RouteAction.ALLOW), ADMIN)

    async def _settle(self, outcomes: Sequence[NewOutcome], proof: bytes, leaves: int) -> None:
        view = await self.registry.lanes.view(await self.lane_id())
        settlement = Settlement(
            lane_id=view.lane.lane_id,
            gate=view.destination.gate,
            outcomes=tuple(outcomes),
            proof=FrameProof(height=self.path.right.height, content=proof, leaf_count=leaves),
        )
        await self.registry.outcomes.record(self.fences[SUZHOU], [settlement])
