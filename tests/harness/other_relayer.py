"""Somebody else's relayer between two towns: it acts on both chains itself, and knows no hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from adapters.simchain.events import ClientCreated, PacketSent
from adapters.simchain.messages import (
    CreateClient,
    RegisterCounterparty,
    Transaction,
    UpdateClient,
    UpdateStep,
)
from adapters.simchain.queries import PREFIX, anchor_at, client_view
from tests.harness.simchain import TRUST, Path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from adapters.simchain.chain import Chain
    from adapters.simchain.messages import Message, Result
    from hub.core.ids import ClientId
    from hub.core.packet import Packet
    from tests.harness.relayed import Relayed

BATCH = 256


class OtherRelayer:
    """It carries packets of the left town over a pair of clients of its own."""

    def __init__(self, world: Relayed) -> None:
        self.packets: dict[int, Packet] = {}
        """All that the left has sent, by sequence."""
        self._world = world
        self._ends: dict[str, ClientId] = {}

    @classmethod
    async def opened(cls, world: Relayed, *, ordered: bool = False) -> Self:
        """Both chains have a client of the other, bound to each other; no lane is open."""
        relayer = cls(world)
        for chain in relayer._chains:
            await relayer._create(chain, ordered=ordered)
        for chain in relayer._chains:
            register = RegisterCounterparty(
                client=relayer.client(chain),
                counterparty=relayer.client(relayer._path.other(chain)),
                prefix=PREFIX,
            )
            await relayer._run(chain, register)
        return relayer

    def client(self, chain: Chain) -> ClientId:
        """The client on *chain*."""
        return self._ends[chain.config.chain_id]

    async def send(self, count: int = 1, *, lives: int = 600) -> list[int]:
        """The sequences that the left town has sent and that can be proven now.

        Their timeout is *lives* seconds from now.
        """
        sent: list[int] = []
        while len(sent) < count:
            batch = min(BATCH, count - len(sent))
            self._world.submit(
                self._world.left, batch, timeout=lives, client=self.client(self._source)
            )
            await self._world.second()
            block = self._source.block(self._source.height)
            assert block is not None
            events = [event for event in block.events if isinstance(event, PacketSent)]
            self.packets.update({event.packet.sequence: event.packet for event in events})
            sent += [event.packet.sequence for event in events]
        await self._world.second()
        return sent

    async def receive(self, sequences: Iterable[int]) -> None:
        """The right town has received the packets; its answers can be proven."""
        for packets in self._batches(sequences):
            await self._deliver(self._target, self._path.receive(self._source, packets))
        await self._world.second()

    async def acknowledge(self, sequences: Iterable[int]) -> None:
        """The left town has executed the answers to the packets."""
        await self._world.second()
        for packets in self._batches(sequences):
            await self._deliver(self._source, self._path.acknowledge(self._source, packets))
        await self._world.second()

    async def time_out(self, sequences: Iterable[int]) -> None:
        """The left town has refunded the packets, whose timeout has passed."""
        for sequence in sequences:
            message = self._path.time_out(self._source, self.packets[sequence])
            await self._deliver(self._source, message)
        await self._world.second()

    @property
    def _source(self) -> Chain:
        return self._world.left.chain

    @property
    def _target(self) -> Chain:
        return self._world.right.chain

    @property
    def _chains(self) -> tuple[Chain, Chain]:
        return self._source, self._target

    @property
    def _path(self) -> Path:
        return Path(self._source, self._target, self._world.clock.now(), self._ends)

    def _batches(self, sequences: Iterable[int]) -> list[list[Packet]]:
        packets = [self.packets[sequence] for sequence in sequences]
        return [packets[at : at + BATCH] for at in range(0, len(packets), BATCH)]

    async def _create(self, chain: Chain, *, ordered: bool) -> None:
        """The client on *chain*, which trusts the other's newest header."""
        other = self._path.other(chain)
        anchor = anchor_at(other, other.height, TRUST)
        result = await self._run(chain, CreateClient(anchor=anchor, ordered=ordered, opening=""))
        [created] = [event for event in result.events if isinstance(event, ClientCreated)]
        self._ends[chain.config.chain_id] = created.client
        step = UpdateStep(
            trusted_height=anchor.height,
            trusted_validators=b"",
            header=other.light_block(anchor.height.number).header,
        )
        await self._run(chain, UpdateClient(client=created.client, steps=(step,)))

    async def _deliver(self, chain: Chain, message: Message) -> None:
        height = message.proof_height.number  # type: ignore[union-attr]
        messages: Sequence[Message] = (message,)
        if height not in client_view(chain, self.client(chain)).heights:
            messages = (self._path.update(chain, height), message)
        await self._run(chain, *messages)

    async def _run(self, chain: Chain, *messages: Message) -> Result:
        tx_hash = chain.submit(Transaction(signer="others", nonce=0, messages=messages))
        await self._world.second()
        result = chain.result(tx_hash)
        assert result is not None
        assert result.error is None, result.error
        return result
