"""Two embedded chains that face each other, and a relayer that carries proofs between them.

No hub is in between: what one chain proves goes straight to the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.simchain.bank import Balance, balance
from adapters.simchain.block_log import MemoryLog
from adapters.simchain.chain import Chain
from adapters.simchain.execution import account_nonce
from adapters.simchain.genesis import ChainConfig
from adapters.simchain.messages import (
    AcknowledgePackets,
    CreateClient,
    Gone,
    PassOverSequences,
    ReceivePackets,
    RegisterCounterparty,
    SendPacket,
    TimeOutPacket,
    Transaction,
    UpdateClient,
    UpdateStep,
)
from adapters.simchain.queries import (
    PREFIX,
    anchor_at,
    client_view,
    height_at,
    prove,
    prove_batch,
)
from adapters.simchain.transfer_data import TransferData, payload_of
from hub.core.client import TrustOptions
from hub.core.ids import ChainId, ClientId, PortId
from hub.core.paths import (
    acknowledgement_key,
    commitment_key,
    next_sequence_send_key,
    receipt_key,
)
from hub.core.time import SECOND, Duration, Timestamp, whole_seconds
from hub.light_clients.cometbft.client import CometBftClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.simchain.block_log import BlockLog
    from adapters.simchain.history import Block
    from adapters.simchain.messages import Message, Result
    from hub.core.packet import Packet

START = Timestamp(1_790_000_000 * SECOND)
TRANSFER = PortId("transfer")
TRUST = TrustOptions(
    trusting_period=Duration(14 * 24 * 3600 * SECOND), max_clock_drift=Duration(10 * SECOND)
)
LIGHT_CLIENT = CometBftClient()


def config_of(name: str, **changes: object) -> ChainConfig:
    """A small chain whose validators change every 7 blocks; alice and bob hold its token."""
    values: dict[str, object] = {
        "chain_id": ChainId(f"{name}-1"),
        "seed": name.encode(),
        "balances": (
            Balance(account="alice", denomination=f"{name}coin", amount=1_000_000),
            Balance(account="bob", denomination=f"{name}coin", amount=500_000),
        ),
        "validator_turn": 7,
    }
    return ChainConfig(**{**values, **changes})  # type: ignore[arg-type]


def chain_of(name: str, log: BlockLog | None = None, **changes: object) -> Chain:
    """A chain without a block."""
    return Chain(config_of(name, **changes), LIGHT_CLIENT, log or MemoryLog())


@dataclass
class Path:
    """Two chains, one clock, and a client of each on the other."""

    left: Chain
    right: Chain
    now: Timestamp = START
    ends: dict[str, ClientId] = field(default_factory=dict)
    """By chain id: its client of the other chain."""

    def other(self, chain: Chain) -> Chain:
        """The chain at the other end."""
        return self.right if chain is self.left else self.left

    def client(self, chain: Chain) -> ClientId:
        """The client on *chain* of the other one."""
        return self.ends[chain.config.chain_id]

    def advance(self, seconds: int = 1) -> tuple[Block, Block]:
        """Time passes; each chain makes a block."""
        self.now = Timestamp(self.now + seconds * SECOND)
        return self.left.produce_block(self.now), self.right.produce_block(self.now)

    def run(self, chain: Chain, *messages: Message, signer: str = "relayer") -> Result:
        """What became of one transaction on *chain*, in a block of its own."""
        nonce = 0
        if any(isinstance(message, SendPacket) for message in messages):
            nonce = account_nonce(chain.state, signer) + 1
        tx_hash = chain.submit(Transaction(signer=signer, nonce=nonce, messages=messages))
        self.advance()
        result = chain.result(tx_hash)
        assert result is not None
        return result

    def open(self, *, ordered: bool = False) -> Path:
        """Both chains have a client of the other, registered and up to date."""
        self.advance()
        self.advance()
        for chain in (self.left, self.right):
            other = self.other(chain)
            anchor = anchor_at(other, other.height, TRUST)
            create = CreateClient(anchor=anchor, ordered=ordered, opening="")
            result = self.run(chain, create)
            assert result.error is None
            (event,) = result.events
            self.ends[chain.config.chain_id] = event.client  # type: ignore[union-attr]
            step = UpdateStep(
                trusted_height=anchor.height,
                trusted_validators=b"",
                header=other.light_block(anchor.height.number).header,
            )
            update = UpdateClient(client=self.client(chain), steps=(step,))
            assert self.run(chain, update).error is None
        for chain in (self.left, self.right):
            register = RegisterCounterparty(
                client=self.client(chain),
                counterparty=self.client(self.other(chain)),
                prefix=PREFIX,
            )
            assert self.run(chain, register).error is None
        return self

    def update(self, chain: Chain, height: int) -> UpdateClient:
        """The headers that bring the client on *chain* to *height* of the other chain."""
        heights = client_view(chain, self.client(chain)).heights
        trusted = max(number for number in heights if number < height)
        steps = steps_between(self.other(chain), trusted, height)
        return UpdateClient(client=self.client(chain), steps=tuple(steps))

    def send(
        self, chain: Chain, amount: int = 10, *, denomination: str = "", timeout: int = 600
    ) -> Packet:
        """A transfer from alice to bob over there, committed; *timeout* in seconds from now."""
        data = TransferData(
            denomination=denomination or chain.config.balances[0].denomination,
            amount=amount,
            sender="alice",
            receiver="bob",
        )
        result = self.run(chain, self.transfer(chain, data, timeout), signer="alice")
        assert result.error is None, result.error
        return result.events[0].packet  # type: ignore[union-attr]

    def sent(self, count: int = 1, *, timeout: int = 600) -> list[Packet]:
        """Packets of the left chain that are provable now."""
        packets = [self.send(self.left, timeout=timeout) for _ in range(count)]
        self.advance()
        return packets

    def received(self, count: int = 1) -> list[Packet]:
        """Packets of the left chain whose answers of the right one are provable now."""
        packets = self.sent(count)
        assert effects(self.deliver(self.right, self.receive(self.left, packets))) == "E" * count
        self.advance()
        return packets

    def transfer(self, chain: Chain, data: TransferData, timeout: int = 600) -> SendPacket:
        """The message that sends *data* from *chain*; *timeout* in seconds from now."""
        return SendPacket(
            client=self.client(chain),
            timeout_timestamp=whole_seconds(self.now) + timeout,
            payloads=(payload_of(TRANSFER, data),),
        )

    def receive(self, source: Chain, packets: Sequence[Packet], height: int = 0) -> ReceivePackets:
        """The message that delivers *packets* of *source*, proven at *height* or the newest."""
        height = height or source.height
        keys = [commitment_key(packet.source_client, packet.sequence) for packet in packets]
        return ReceivePackets(
            client=self.client(self.other(source)),
            packets=tuple(packets),
            skipped=(),
            proof_height=height_at(source, height),
            proof=prove_batch(source, keys, height).proof,
        )

    def acknowledge(self, source: Chain, packets: Sequence[Packet]) -> AcknowledgePackets:
        """The message that takes the answers to *packets* of *source* back to it."""
        target = self.other(source)
        client = self.client(target)
        keys = [acknowledgement_key(client, packet.sequence) for packet in packets]
        answers = [target.ledger.answer(client, packet.sequence) for packet in packets]
        return AcknowledgePackets(
            client=self.client(source),
            packets=tuple(packets),
            acknowledgements=tuple([answer.acknowledgement for answer in answers if answer]),
            skipped=(),
            proof_height=height_at(target, target.height),
            proof=prove_batch(target, keys, target.height).proof,
        )

    def time_out(self, source: Chain, packet: Packet) -> TimeOutPacket:
        """The message that refunds *packet* of *source*."""
        target = self.other(source)
        key = receipt_key(packet.destination_client, packet.sequence)
        return TimeOutPacket(
            packet=packet,
            proof_height=height_at(target, target.height),
            proof=prove(target, key, target.height).proof,
        )

    def pass_over(self, source: Chain, *sequences: int) -> PassOverSequences:
        """The message that shows *sequences* of *source* to be gone."""
        client = self.client(source)
        following = prove(source, next_sequence_send_key(client), source.height)
        gone = [
            Gone(sequence, prove(source, commitment_key(client, sequence), source.height).proof)
            for sequence in sequences
        ]
        return PassOverSequences(
            client=self.client(self.other(source)),
            gone=tuple(gone),
            next_sequence=int.from_bytes(following.value or b"", "big"),
            next_sequence_proof=following.proof,
            proof_height=height_at(source, source.height),
        )

    def deliver(self, chain: Chain, message: Message) -> Result:
        """What became of *message* on *chain*, whose client was updated first as it needs."""
        height = message.proof_height.number  # type: ignore[union-attr]
        if height in client_view(chain, self.client(chain)).heights:
            return self.run(chain, message)
        return self.run(chain, self.update(chain, height), message)


def path_of(left: Chain | None = None, right: Chain | None = None) -> Path:
    """Two fresh chains."""
    return Path(left or chain_of("hangzhou"), right or chain_of("suzhou"))


def steps_between(source: Chain, trusted: int, target: int) -> list[UpdateStep]:
    """The headers of *source* that lead from height *trusted* to *target*, halving as needed."""
    steps: list[UpdateStep] = []
    while trusted < target:
        known = LIGHT_CLIENT.read_header(source.light_block(trusted).header)
        validators = source.config.schedule.at(trusted + 1).content
        anchor = anchor_at(source, trusted, TRUST)
        height = target
        while not LIGHT_CLIENT.may_follow(
            anchor, known, validators, source.light_block(height).header
        ):
            height = (trusted + height) // 2
        steps.append(
            UpdateStep(
                trusted_height=known.height,
                trusted_validators=validators,
                header=source.light_block(height).header,
            )
        )
        trusted = height
    return steps


def holds(chain: Chain, account: str, denomination: str) -> int:
    """Whole units that *account* holds on *chain*."""
    return balance(chain.state, account, denomination)


def effects(result: Result) -> str:
    """The first letter of what became of each packet."""
    assert result.error is None, result.error
    return "".join(outcome.effect[0] for outcome in result.outcomes)


def stored(chain: Chain, key: bytes) -> bytes | None:
    """What stands at *key* of the store ``ibc``."""
    return chain.stores["ibc"].get(key)
