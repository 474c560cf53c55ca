"""An adapter under exam, honest or not, on one loop with its examiner, in a time that runs faster.

The adapter is the SDK's over an embedded chain. A test makes it lie by changing what it says, what
it hears, or what its chain does.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from adapters.conformance import counterparty, runner
from adapters.conformance.check import Grade
from adapters.conformance.exam import Exam, Patience, Subject
from adapters.conformance.items import chosen
from adapters.conformance.relay import Relay
from adapters.conformance.watch import Watch
from adapters.sdk.accepted_log import AcceptedLog
from adapters.sdk.anchors import Anchors
from adapters.sdk.client import AdapterClient, Relayers
from adapters.sdk.clock import SystemClock
from adapters.sdk.session import City
from adapters.sdk.stream import Stream
from adapters.simchain import bank
from adapters.simchain.adapter import SimchainAdapter
from adapters.simchain.events import PacketSent
from adapters.simchain.execution import account_nonce
from adapters.simchain.messages import SendPacket, Transaction
from adapters.simchain.node import Node
from adapters.simchain.queries import anchor_at
from adapters.simchain.transfer import escrow_account
from adapters.simchain.transfer_data import TransferData, payload_of
from hub.core.ids import PeerId
from hub.core.ranges import RangeSet
from hub.core.time import MILLISECOND, SECOND, Duration, Timestamp, whole_seconds
from hub.wire import anchor_file
from tests.harness.certificates import TRUST_DOMAIN, Certificates
from tests.harness.clock import FixedChance
from tests.harness.simchain import TRANSFER, TRUST, chain_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from ydhub.relay.v1 import relay_pb2 as pb

    from adapters.conformance.check import Result
    from adapters.conformance.counterparty import Counterparty
    from adapters.simchain.chain import Chain
    from hub.core.ids import ClientId

    Says = Callable[[pb.AdapterFrame], Sequence[pb.AdapterFrame]]
    Hears = Callable[[pb.RelayerFrame], pb.RelayerFrame | None]

SPEED = 3
PEER, EXAMINER = PeerId("hangzhou"), PeerId("examiner")
BLOCKS = Duration(500 * MILLISECOND)
PATIENCE = Patience(
    dial=Duration(20 * SECOND),
    shown=Duration(10 * SECOND),
    quiet=Duration(1500 * MILLISECOND),
    life=Duration(4 * SECOND),
)
COIN = "hangzhoucoin"


class FastClock:
    """The machine's clocks, some times faster."""

    def __init__(self) -> None:
        self._system = SystemClock()
        self._start, self._began = self._system.now(), self._system.monotonic()

    def now(self) -> Timestamp:
        return Timestamp(self._start + self.monotonic())

    def monotonic(self) -> Timestamp:
        return Timestamp((self._system.monotonic() - self._began) * SPEED)

    async def sleep(self, duration: Duration) -> None:
        await asyncio.sleep(duration / SECOND / SPEED)


class LyingStream(Stream):
    """A stream that says and hears something else."""

    def __init__(self, call: Any, clock: Any, says: Says, hears: Hears) -> None:
        super().__init__(call, clock)
        self._says, self._hears = says, hears

    async def send(self, frame: pb.AdapterFrame, sent: Callable[[int], None] | None = None) -> int:
        number = 0
        for said in self._says(frame):
            number = await super().send(said, sent)
            sent = None
        if sent is not None:
            sent(0)  # a frame that is kept back counts as sent
        return number

    async def receive(self) -> pb.RelayerFrame:
        while (heard := self._hears(await super().receive())) is None:
            pass
        return heard


class Users:
    """Users of the chain, on the same loop."""

    receiver = "bob"

    def __init__(self, node: Node, clock: FastClock) -> None:
        self.hidden = 0
        """Units that the escrow does not tell of."""
        self._node = node
        self._clock = clock

    async def send(
        self, client: ClientId, receiver: str, *, count: int, amount: int, lives_s: int
    ) -> RangeSet:
        chain = self._node.chain
        data = TransferData(denomination=COIN, amount=amount, sender="alice", receiver=receiver)
        message = SendPacket(
            client=client,
            timeout_timestamp=whole_seconds(max(self._clock.now(), chain.time)) + lives_s,
            payloads=(payload_of(TRANSFER, data),),
        )
        nonce = account_nonce(chain.state, "alice") + 1
        transaction = Transaction(signer="alice", nonce=nonce, messages=(message,) * count)
        result = await self._node.result(transaction)
        assert result.error is None, result.error
        sent = [event.packet for event in result.events if isinstance(event, PacketSent)]
        return RangeSet.of([packet.sequence for packet in sent])

    async def locked(self, client: ClientId) -> int:
        state = self._node.chain.state
        return bank.balance(state, escrow_account(TRANSFER, client), COIN) - self.hidden

    async def received(self, client: ClientId, denomination: str) -> int:
        state = self._node.chain.state
        return bank.balance(state, self.receiver, f"{TRANSFER}/{client}/{denomination}")

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Examined:
    """An adapter and its examiner."""

    exam: Exam
    chain: Chain
    users: Users

    async def results(self, *names: str) -> dict[str, Result]:
        """How the items of these names ended, or all."""
        found = await runner.run(self.exam, chosen(names))
        return {result.check.name: result for result in found}

    async def result(self, name: str) -> Result:
        """How that item ended."""
        return (await self.results(name))[name]


def truth(frame: pb.AdapterFrame) -> Sequence[pb.AdapterFrame]:
    """What an honest adapter says."""
    return (frame,)


def all_heard(frame: pb.RelayerFrame) -> pb.RelayerFrame | None:
    """What an attentive adapter hears."""
    return frame


@asynccontextmanager
async def examined(
    directory: Path,
    *,
    adapter: Callable[[Node], SimchainAdapter] = SimchainAdapter,
    says: Says = truth,
    hears: Hears = all_heard,
    has_users: bool = True,
) -> AsyncIterator[Examined]:
    """An adapter that dials its examiner."""
    clock = FastClock()
    certificates = Certificates.make(directory / "certs")
    node = Node(chain_of("hangzhou"), clock)
    node.produce()
    node.produce()
    users = Users(node, clock)
    with (
        pytest.MonkeyPatch.context() as patch,
        counterparty.kept(directory / "examiner", counterparty.CLIENT_TYPE, clock) as other,
        closing(AcceptedLog(directory / "accepted.jsonl")) as log,
    ):
        patch.setattr(
            "adapters.sdk.client.Stream", lambda call, at: LyingStream(call, at, says, hears)
        )
        city = _city(adapter(node), other, directory / "examiner.yaml", log, clock)
        exam, relay = _exam(node, other, users if has_users else None, clock)
        port = await relay.start("127.0.0.1:0", certificates.server("/relayers/examiner"))
        running = _running(node, city, relayers(certificates, port))
        try:
            yield Examined(exam, node.chain, users)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            exam.leave()
            await relay.stop()


def _exam(
    node: Node, other: Counterparty, users: Users | None, clock: FastClock
) -> tuple[Exam, Relay]:
    """The exam of *node*'s adapter, and what it will dial."""
    watch = Watch(clock)
    relay = Relay(TRUST_DOMAIN, watch, clock)
    subject = Subject(peer=PEER, anchor=anchor_at(node.chain, node.chain.height, TRUST))
    exam = Exam(subject, relay, other, sender=users, watch=watch, clock=clock, patience=PATIENCE)
    return exam, relay


def _city(
    chain: SimchainAdapter, other: Counterparty, file: Path, log: AcceptedLog, clock: FastClock
) -> City:
    """The adapter, whose operator has the examiner's anchor in *file*."""
    anchor_file.write(file, other.anchor(), peer=EXAMINER)
    return City(
        chain=chain,
        anchors=Anchors.of_files({EXAMINER: file}),
        log=log,
        clock=clock,
        randomness=FixedChance(),
        adapter="simchain under exam",
    )


def relayers(certificates: Certificates, port: int) -> Relayers:
    """The examiner's address, and who the adapter is to it."""
    cert_file, key_file, ca_file = map(str, certificates.files(f"/peers/{PEER}"))
    address = f"127.0.0.1:{port}"
    return Relayers(addresses=[address], cert_file=cert_file, key_file=key_file, ca_file=ca_file)


def _running(node: Node, city: City, to: Relayers) -> list[asyncio.Task[None]]:
    loop = asyncio.get_running_loop()
    client = AdapterClient(city, to)
    return [loop.create_task(node.run(BLOCKS)), loop.create_task(client.run())]


async def caught(directory: Path, item: str, *before: str, **lies: Any) -> Result:
    """How an *item* failed whose rule the adapter breaks by its *lies*; *before* are run first."""
    async with examined(directory, **lies) as liar:
        results = await liar.results(*before, item)
    found = results[item]
    assert found.grade is Grade.FAILED, (item, found.grade, found.came)
    assert found.expected
    assert found.came
    return found
