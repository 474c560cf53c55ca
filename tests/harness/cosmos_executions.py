"""What a relayer asks a Cosmos chain for, with real proof batches; and who does it there."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from coincurve import PrivateKey

from adapters.cosmos.blocks.follower import BlockFollower
from adapters.cosmos.executor import Executor
from adapters.cosmos.tx.gas import GasModel
from adapters.cosmos.tx.keys import Key
from adapters.cosmos.tx.records import Settings
from adapters.cosmos.tx.signer import Signer
from adapters.cosmos.tx.submitter import Submitter
from adapters.sdk.execution import Acknowledge, Execution, Freeze, Receive, TimeOut, UpdateStep
from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.packet import Acknowledgement
from hub.core.paths import acknowledgement_key, commitment_key, counterparty_key
from hub.core.record import SkippedLeaf
from hub.light_clients.cometbft.client_state import Counterparty, encode_counterparty
from hub.wire.packet import encode_acknowledgement, encode_packet
from tests.harness.clock import ManualClock, settle
from tests.harness.cometbft import anchor_of, make_chain, members, resigned
from tests.harness.cosmos_chain import CosmosChain
from tests.harness.iavl import World, plant
from tests.harness.packet_samples import PACKET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from adapters.sdk.execution import Action, ExecutionResult
    from hub.core.packet import Packet
    from tests.harness.cometbft import Block

CLIENT = ClientId("07-tendermint-0")
"""The chain's own."""
OTHER = ClientId("07-tendermint-9")
"""Its counterparty."""
PREFIX = (b"ibc", b"")
HEIGHT = Height(1, 77)
ANSWER = Acknowledgement((b'{"result":"AQ=="}',))
GROUP = members(40, 30, 20)
FIRST, SECOND, THIRD = make_chain([GROUP] * 3, chain_id="hangzhou-1", first_height=5)
ANCHOR = anchor_of(FIRST)
SETTINGS = Settings(
    denomination="stake",
    gas_price=Fraction(1, 40),
    max_bytes=650_000,
    max_gas=60_000_000,
    timeout_blocks=12,
)


def key(number: int) -> Key:
    """The key of that *number*, 1 to 255."""
    secret = PrivateKey(bytes([number]) * 32)
    return Key(f"cosmos1key{number}", secret.public_key.format(compressed=True), secret)


def step(block: Block = SECOND, trusted: Block = FIRST) -> UpdateStep:
    return UpdateStep(
        trusted_height=trusted.state.height,
        trusted_validators=trusted.next_set,
        header=block.header,
    )


def inbound(sequence: int, client: ClientId = CLIENT, **changed: Any) -> Packet:
    """A packet that the chain's *client* receives."""
    packet = replace(
        PACKET,
        sequence=sequence,
        source_client=OTHER,
        destination_client=client,
        payloads=PACKET.payloads[:1],
    )
    return replace(packet, **changed)


def outbound(sequence: int) -> Packet:
    """A packet that the chain sent."""
    return inbound(sequence, OTHER, source_client=CLIENT)


def receive(*packets: int | Packet, skipped: Sequence[int] = ()) -> Receive:
    found = tuple([inbound(one) if isinstance(one, int) else one for one in packets])
    left_out = [inbound(sequence) for sequence in skipped]
    leaves = [(one.sequence, commit_packet(one)) for one in (*found, *left_out)]
    return Receive(
        packets=found,
        contents=tuple([encode_packet(packet) for packet in found]),
        skipped=tuple([SkippedLeaf(one.sequence, commit_packet(one)) for one in left_out]),
        proof_height=HEIGHT,
        proof_batch=world(
            tuple([(commitment_key(OTHER, sequence), value) for sequence, value in leaves])
        )[1],
    )


def acknowledge(*sequences: int, skipped: Sequence[int] = ()) -> Acknowledge:
    packets = tuple([outbound(sequence) for sequence in sequences])
    commitment = commit_acknowledgement(ANSWER)
    return Acknowledge(
        packets=packets,
        contents=tuple([encode_packet(packet) for packet in packets]),
        acknowledgements=(ANSWER,) * len(packets),
        acknowledgement_contents=(encode_acknowledgement(ANSWER),) * len(packets),
        skipped=tuple([SkippedLeaf(sequence, commitment) for sequence in skipped]),
        proof_height=HEIGHT,
        proof_batch=world(
            tuple([(acknowledgement_key(OTHER, one), commitment) for one in (*sequences, *skipped)])
        )[1],
    )


def time_out(sequence: int) -> TimeOut:
    packet = outbound(sequence)
    return TimeOut(
        packet=packet, content=encode_packet(packet), proof_height=HEIGHT, proof=b"a proof"
    )


def freeze() -> Freeze:
    return Freeze(first=step(SECOND), second=step(resigned(SECOND, app_hash=b"\x09" * 32)))


def execution(action: Action | None, *updates: UpdateStep, **changed: Any) -> Execution:
    fields: dict[str, Any] = {
        "execution_id": 1,
        "lane": "lanes/a",
        "client": CLIENT,
        "updates": updates,
        "action": action,
        "possible_duplicate": False,
        **changed,
    }
    return Execution(**fields)


@lru_cache(maxsize=64)
def world(items: tuple[tuple[bytes, bytes], ...]) -> tuple[World, bytes]:
    """The state that holds *items*, and the batch of them."""
    found = World({"bank": plant({b"k": b"v"}), "ibc": plant(dict(items))})
    return found, found.batch("ibc", sorted([key for key, _ in items]))


@dataclass
class Bench:
    """An executor on a chain in memory."""

    chain: CosmosChain
    clock: ManualClock
    blocks: BlockFollower
    gas: GasModel
    submitter: Submitter
    executor: Executor

    async def run(self, wanted: Execution) -> ExecutionResult:
        """What becomes of *wanted* while blocks follow each other."""
        task = asyncio.ensure_future(self.executor.execute(wanted))
        await self.chain.drive(task)
        return task.result()

    async def blocks_pass(self, count: int) -> None:
        for _ in range(count):
            self.chain.block()
            await settle()


@asynccontextmanager
async def bench(
    *, keys: int = 1, settings: Settings = SETTINGS, **changed: Any
) -> AsyncIterator[Bench]:
    """A running chain with a client that is bound; all has ended afterwards."""
    signing = [key(number) for number in range(1, keys + 1)]
    chain = CosmosChain(*signing)
    assert chain.add_client(ANCHOR, signing[0].address) == CLIENT
    bound = Counterparty(client=OTHER, prefix=PREFIX, ordered=False)
    chain.store[counterparty_key(CLIENT)] = encode_counterparty(bound)
    for sequence in range(1, 300):
        chain.store[commitment_key(CLIENT, sequence)] = b"\x01" * 32
    chain.block()
    clock = ManualClock()
    blocks = BlockFollower(chain, clock)
    gas = GasModel()
    used = replace(settings, **changed)
    submitter = Submitter(chain, blocks, [Signer(chain, one) for one in signing], gas, used)
    made = Bench(chain, clock, blocks, gas, submitter, Executor(chain, blocks, submitter))
    work = [asyncio.ensure_future(blocks.run()), asyncio.ensure_future(submitter.run())]
    try:
        await settle()
        yield made
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await settle()
