"""The examiner's own chain: what the adapter's chain exchanges packets with during the exam.

An embedded chain with real headers, proofs and packets, which makes a block whenever the exam needs
one. It is kept in a directory, so that the anchor that an operator has configured stays true.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.conformance.updates import Step, plan
from adapters.simchain import bank
from adapters.simchain.block_log import FileLog
from adapters.simchain.chain import Chain
from adapters.simchain.events import ClientCreated, PacketSent
from adapters.simchain.execution import account_nonce
from adapters.simchain.genesis import ChainConfig
from adapters.simchain.messages import (
    AcknowledgePackets,
    CreateClient,
    ReceivePackets,
    RegisterCounterparty,
    SendPacket,
    TimeOutPacket,
    Transaction,
    UpdateClient,
    UpdateStep,
)
from adapters.simchain.queries import (
    anchor_at,
    client_view,
    height_at,
    prove,
    prove_batch,
)
from adapters.simchain.transfer import escrow_account
from adapters.simchain.transfer_data import TransferData, payload_of
from hub.core.client import TrustOptions
from hub.core.errors import PacketNotFound, RecordCorrupt
from hub.core.ids import ChainId, ClientId, PortId
from hub.core.paths import (
    acknowledgement_key,
    commitment_key,
    next_sequence_send_key,
    receipt_key,
)
from hub.core.time import SECOND, Duration, whole_seconds
from hub.light_clients.router import light_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from adapters.sdk.clock import Clock
    from adapters.simchain.block_log import BlockLog
    from adapters.simchain.history import Block
    from adapters.simchain.messages import Message, Result
    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.height import Height
    from hub.core.packet import Acknowledgement, Packet

CHAIN_ID: Final = ChainId("ydhub-examiner-1")
CLIENT_TYPE: Final = "07-tendermint"
PORT: Final = PortId("transfer")
USER: Final = "examiner"
"""The account that sends, and that receives what is sent from the adapter's chain."""
TOKEN: Final = "examcoin"  # noqa: S105 - a denomination
OPTIONS: Final = TrustOptions(
    trusting_period=Duration(14 * 24 * 3600 * SECOND), max_clock_drift=Duration(10 * SECOND)
)
_SUPPLY = 10**12
_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Shown:
    """A proof of this chain, and the header that it ends at."""

    height: Height
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Proofs of this chain, both under one header, by which a sequence may be passed over."""

    height: Height
    proof: bytes
    """Of the absence of the packet's commitment; of its presence while it stands."""
    next_sequence: int
    """The one that it gives out next."""
    next_sequence_proof: bytes


class Counterparty:
    """The examiner's chain, and its client of the adapter's chain."""

    def __init__(self, log: BlockLog, seed: bytes, client_type: str, clock: Clock) -> None:
        """The chain that *log* holds; it verifies the adapter's chain as *client_type* does."""
        config = ChainConfig(
            chain_id=CHAIN_ID,
            seed=seed,
            balances=(bank.Balance(account=USER, denomination=TOKEN, amount=_SUPPLY),),
            validator_turn=20,
            keep=4096,
        )
        self.chain = Chain(config, light_client(client_type), log)
        self.light_client = light_client(CLIENT_TYPE)
        self.client = ClientId("")
        """Its client of the adapter's chain, once there is one."""
        self._clock = clock
        while self.chain.height < 2:  # noqa: PLR2004 - the second header proves the beginning
            self.block()

    @property
    def newest(self) -> int:
        """The newest block's number."""
        return self.chain.height

    @property
    def seconds(self) -> int:
        """The newest header's time in whole seconds, by which timeouts are judged."""
        return whole_seconds(self.chain.time)

    def block(self) -> Block:
        """The next block, now."""
        return self.chain.produce_block(self._clock.now())

    def anchor(self) -> Anchor:
        """The newest block's, for the file of the adapter's operator."""
        return anchor_at(self.chain, self.newest, OPTIONS)

    def run(self, *messages: Message, signer: str = USER) -> Result:
        """What became of one transaction; the newest header proves it. Raises its error."""
        nonce = 0
        if any(isinstance(message, SendPacket) for message in messages):
            nonce = account_nonce(self.chain.state, signer) + 1
        tx_hash = self.chain.submit(Transaction(signer=signer, nonce=nonce, messages=messages))
        self.block()
        result = self.chain.result(tx_hash)
        self.block()
        if result is None:
            raise RecordCorrupt(what="transaction", stored="none", computed=tx_hash.hex())
        if result.error is not None:
            raise result.error
        return result

    def beside(self) -> Counterparty:
        """The same chain, seen by another client of the adapter's chain that is yet to be made."""
        other = copy(self)
        other.client = ClientId("")
        return other

    def create(self, anchor: Anchor, header: Header, *, ordered: bool = False) -> None:
        """The chain has a client of the adapter's chain, which *header* starts from *anchor*.

        Raises ``HubError``.
        """
        result = self.run(CreateClient(anchor=anchor, ordered=ordered, opening=""))
        created = [event.client for event in result.events if isinstance(event, ClientCreated)]
        self.client = created[0]
        first = Step(trusted_height=None, trusted_validators=b"", header=header)
        self.update([first])

    def bind(self, counterparty: ClientId, prefix: tuple[bytes, ...]) -> None:
        """The client is bound to *counterparty* on the adapter's chain. Raises ``HubError``."""
        self.run(RegisterCounterparty(client=self.client, counterparty=counterparty, prefix=prefix))

    def send(self, receiver: str, amount: int, *, count: int = 1, lives_s: int) -> list[Packet]:
        """Packets that are provable now and live *lives_s* seconds more."""
        data = TransferData(denomination=TOKEN, amount=amount, sender=USER, receiver=receiver)
        message = SendPacket(
            client=self.client,
            timeout_timestamp=whole_seconds(self._clock.now()) + lives_s,
            payloads=(payload_of(PORT, data),),
        )
        result = self.run(*(message,) * count)
        return [event.packet for event in result.events if isinstance(event, PacketSent)]

    def commitments(self, packets: Sequence[Packet]) -> Shown:
        """The proof batch of *packets* of this chain under its newest header."""
        return self._batch([commitment_key(one.source_client, one.sequence) for one in packets])

    def acknowledgements(self, sequences: Sequence[int]) -> Shown:
        """The proof batch of what this chain answered, under its newest header."""
        return self._batch([acknowledgement_key(self.client, number) for number in sequences])

    def absence(self, sequence: int) -> Shown:
        """The proof that this chain did not receive a packet, under its newest header."""
        found = prove(self.chain, receipt_key(self.client, sequence), self.newest)
        return Shown(height_at(self.chain, self.newest), found.proof)

    def gone(self, sequence: int) -> Gone:
        """Whether it commits to *sequence*, which it has given out, under its newest header."""
        newest = self.newest
        following = prove(self.chain, next_sequence_send_key(self.client), newest)
        return Gone(
            height=height_at(self.chain, newest),
            proof=prove(self.chain, commitment_key(self.client, sequence), newest).proof,
            next_sequence=int.from_bytes(following.value or b"", "big"),
            next_sequence_proof=following.proof,
        )

    def receive(self, packets: Sequence[Packet], height: Height, proof: bytes) -> Result:
        """What became of packets of the adapter's chain. Raises ``HubError``."""
        return self.run(
            ReceivePackets(
                client=self.client,
                packets=tuple(packets),
                skipped=(),
                proof_height=height,
                proof=proof,
            )
        )

    def acknowledge(
        self,
        packets: Sequence[Packet],
        answers: Sequence[Acknowledgement],
        height: Height,
        proof: bytes,
    ) -> Result:
        """What became of the *answers* of the adapter's chain. Raises ``HubError``."""
        return self.run(
            AcknowledgePackets(
                client=self.client,
                packets=tuple(packets),
                acknowledgements=tuple(answers),
                skipped=(),
                proof_height=height,
                proof=proof,
            )
        )

    def answer(self, sequence: int) -> Acknowledgement:
        """What this chain answered to a packet that it received."""
        found = self.chain.ledger.answer(self.client, sequence)
        if found is None:
            raise PacketNotFound(name=f"{self.client} {sequence}")
        return found.acknowledgement

    def time_out(self, packet: Packet, height: Height, proof: bytes) -> Result:
        """What became of the timeout of a packet of this chain. Raises ``HubError``."""
        return self.run(TimeOutPacket(packet=packet, proof_height=height, proof=proof))

    def update(self, steps: Sequence[Step]) -> None:
        """Its client has verified the headers of *steps*. Raises ``HubError``."""
        updates = [
            UpdateStep(
                trusted_height=step.trusted_height or height_at(self.chain, self.newest),
                trusted_validators=step.trusted_validators,
                header=step.header,
            )
            for step in steps
        ]
        if updates:
            self.run(UpdateClient(client=self.client, steps=tuple(updates)))

    def trusted(self) -> tuple[int, ...]:
        """Numbers of the heights that this chain's client trusts, rising."""
        return client_view(self.chain, self.client).heights

    async def steps(self, trusted: int, target: int, options: TrustOptions) -> list[Step]:
        """Updates that lead a client of this chain with *options* from *trusted* to *target*."""
        anchor = anchor_at(self.chain, trusted, options)
        return await plan(self.light_client, anchor, self, trusted, target)

    async def header(self, number: int) -> Header:
        """Its header of that block. Raises ``HeaderNotFound``."""
        return self.chain.light_block(number).header

    async def validators_after(self, state: ConsensusState) -> bytes:
        """The set that *state*, of this chain, names as next."""
        return self.chain.config.schedule.at(state.height.number + 1).content

    def height(self, number: int) -> Height:
        """The height of that block. Raises ``HeaderNotFound``."""
        return height_at(self.chain, number)

    def escrowed(self) -> int:
        """Units of this chain's token that have left over the client and did not come back."""
        return bank.balance(self.chain.state, escrow_account(PORT, self.client), TOKEN)

    def vouchers(self) -> int:
        """Units of all tokens of the adapter's chain that came over the client."""
        way = f"{PORT}/{self.client}/"
        store = self.chain.stores[bank.STORE]
        return sum(one.amount for one in bank.supplies(store) if one.denomination.startswith(way))

    def _batch(self, keys: list[bytes]) -> Shown:
        found = prove_batch(self.chain, keys, self.newest)
        return Shown(height_at(self.chain, self.newest), found.proof)


@contextmanager
def kept(directory: Path, client_type: str, clock: Clock) -> Iterator[Counterparty]:
    """The chain that is kept in *directory*, which is made with a new one if it is not there."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed_file = directory / "seed"
    if not seed_file.exists():
        # Whoever knows it can sign for the chain, which an adapter is configured to believe.
        seed_file.touch(mode=_PRIVATE)
        seed_file.write_text(secrets.token_hex(32), encoding="ascii")
    log = FileLog(directory / "blocks.log")
    try:
        yield Counterparty(log, seed_file.read_bytes(), client_type, clock)
    finally:
        log.close()
