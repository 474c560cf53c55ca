"""Two embedded chains behind their adapters, and whatever a relayer would do, by hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from adapters.sdk.execution import Acknowledge, Execution, Receive, TimeOut, UpdateStep
from adapters.simchain.adapter import SimchainAdapter
from adapters.simchain.execution import account_nonce
from adapters.simchain.messages import SendPacket, Transaction
from adapters.simchain.node import Node
from adapters.simchain.queries import PREFIX, anchor_at, client_view, height_at
from adapters.simchain.transfer_data import TransferData, payload_of
from hub.core.ids import ClientId
from hub.core.packet import MAX_SEQUENCE
from hub.core.paths import acknowledgement_key, commitment_key, receipt_key
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, whole_seconds
from hub.wire.packet import decode_acknowledgement, decode_packet, encode_packet
from tests.harness.clock import ManualClock, settle
from tests.harness.simchain import TRANSFER, TRUST, chain_of, steps_between

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from adapters.sdk.chain import Item
    from adapters.sdk.execution import ExecutionResult
    from adapters.simchain.chain import Chain
    from hub.core.packet import Packet

T = TypeVar("T")

_NONE = ClientId("")
ALL = RangeSet.span(1, MAX_SEQUENCE + 1)


@dataclass
class SimCity:
    """One chain, its node and its adapter."""

    name: str
    chain: Chain
    node: Node
    adapter: SimchainAdapter
    client: ClientId = _NONE
    """Its client of the other chain, once there is one."""


class TwoCities:
    """Two cities on one clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.left, self.right = (self._city(name) for name in ("hangzhou", "suzhou"))
        self.executions = 0

    def other(self, city: SimCity) -> SimCity:
        return self.right if city is self.left else self.left

    async def advance(self, blocks: int = 1) -> None:
        """Seconds pass; each chain makes a block in each."""
        for _ in range(blocks):
            await self.clock.advance(SECOND)
            self.left.node.produce()
            self.right.node.produce()
            await settle()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What *work* returns, with blocks made until it does."""
        task = asyncio.ensure_future(work)
        await settle()
        while not task.done():
            await self.advance()
        return await task

    async def open(self) -> TwoCities:
        """Both chains have a client of the other, bound and up to date."""
        await self.advance(2)
        for city in (self.left, self.right):
            chain = self.other(city).chain
            anchor = anchor_at(chain, chain.height, TRUST)
            create = city.adapter.create_client(anchor, None, ordered=False, opening="openings/1")
            city.client = await self.run(create)
            header = chain.light_block(anchor.height.number).header
            first = UpdateStep(trusted_height=None, trusted_validators=b"", header=header)
            await self.execute(city, None, updates=(first,))
        for city in (self.left, self.right):
            counterparty = self.other(city).client
            bind = city.adapter.register_counterparty(city.client, counterparty, PREFIX)
            await self.run(bind)
        return self

    async def send(self, city: SimCity, count: int = 1, lives: int = 600) -> None:
        """Transfers are committed, and a header proves them; they live *lives* seconds."""
        data = TransferData(
            denomination=f"{city.name}coin", amount=1, sender="alice", receiver="bob"
        )
        message = SendPacket(
            client=city.client,
            timeout_timestamp=whole_seconds(self.clock.now()) + lives,
            payloads=(payload_of(TRANSFER, data),),
        )
        nonce = account_nonce(city.chain.state, "alice") + 1
        transaction = Transaction(signer="alice", nonce=nonce, messages=(message,) * count)
        result = await self.run(city.node.result(transaction))
        assert result.error is None, result.error
        await self.advance()

    async def packets(self, city: SimCity) -> tuple[Item, ...]:
        """The packets that stand committed under the newest header."""
        at = height_at(city.chain, city.chain.height)
        return await city.adapter.packets(city.client, ALL, 256, at)

    async def receive(self, source: SimCity, items: tuple[Item, ...]) -> ExecutionResult:
        """What the other city made of packets of *source*."""
        return await self.execute(self.other(source), await self.receiving(source, items))

    async def receiving(self, source: SimCity, items: tuple[Item, ...]) -> Receive:
        """The action that delivers packets of *source*, proven under its newest header."""
        at = height_at(source.chain, source.chain.height)
        keys = [commitment_key(source.client, item.sequence) for item in items]
        return Receive(
            packets=tuple([decode_packet(item.content) for item in items]),
            contents=tuple([item.content for item in items]),
            skipped=(),
            proof_height=at,
            proof_batch=(await source.adapter.prove_batch(keys, at)).proof,
        )

    async def acknowledge(self, source: SimCity, packets: tuple[Packet, ...]) -> ExecutionResult:
        """What *source* made of the answers to its packets."""
        target = self.other(source)
        at = height_at(target.chain, target.chain.height)
        answers = await target.adapter.acknowledgements(target.client, ALL, 256, at)
        keys = [acknowledgement_key(target.client, answer.sequence) for answer in answers]
        action = Acknowledge(
            packets=packets,
            contents=tuple([encode_packet(packet) for packet in packets]),
            acknowledgements=tuple([decode_acknowledgement(one.content) for one in answers]),
            acknowledgement_contents=tuple([answer.content for answer in answers]),
            skipped=(),
            proof_height=at,
            proof_batch=(await target.adapter.prove_batch(keys, at)).proof,
        )
        return await self.execute(source, action)

    async def time_out(self, source: SimCity, packet: Packet) -> ExecutionResult:
        """What *source* made of the proof that its packet was not received."""
        target = self.other(source)
        at = height_at(target.chain, target.chain.height)
        [shown] = await target.adapter.prove([receipt_key(target.client, packet.sequence)], at)
        action = TimeOut(
            packet=packet, content=encode_packet(packet), proof_height=at, proof=shown.proof
        )
        return await self.execute(source, action)

    async def execute(
        self,
        city: SimCity,
        action: Receive | Acknowledge | TimeOut | None,
        updates: tuple[UpdateStep, ...] | None = None,
    ) -> ExecutionResult:
        """What *city* made of *action*, after the updates that it needs; a header proves it."""
        self.executions += 1
        execution = Execution(
            execution_id=self.executions,
            lane="",
            client=city.client,
            updates=self._updates(city, action) if updates is None else updates,
            action=action,
            possible_duplicate=False,
        )
        result = await self.run(city.adapter.execute(execution))
        await self.advance()
        return result

    def _updates(
        self, city: SimCity, action: Receive | Acknowledge | TimeOut | None
    ) -> tuple[UpdateStep, ...]:
        assert action is not None
        source = self.other(city).chain
        trusted = max(client_view(city.chain, city.client).heights)
        return tuple(
            [
                UpdateStep(
                    trusted_height=step.trusted_height,
                    trusted_validators=step.trusted_validators,
                    header=step.header,
                )
                for step in steps_between(source, trusted, action.proof_height.number)
            ]
        )

    def _city(self, name: str) -> SimCity:
        chain = chain_of(name)
        node = Node(chain, self.clock)
        return SimCity(name, chain, node, SimchainAdapter(node))
