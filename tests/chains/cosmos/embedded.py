"""An embedded chain of the development network as one more city beside Cosmos chains.

It runs in the test's own process, so that a test can send what no command does.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

import structlog

from adapters.sdk.clock import SystemClock, SystemRandomness
from adapters.simchain.config import load
from adapters.simchain.execution import account_nonce
from adapters.simchain.ledger_answer import ledger_to_proto
from adapters.simchain.messages import SendPacket, Transaction
from adapters.simchain.process import SimchainProcess
from adapters.simchain.queries import anchor_at
from adapters.simchain.transfer_data import TransferData, payload_of
from hub.cli.dev.configs import ACCOUNTS, token
from hub.cli.dev.layout import CHAINS, HUB
from hub.core.ids import PortId, parse_client_id
from hub.core.time import SECOND
from hub.wire import anchor_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from adapters.sdk.submission import Misbehaviour, Verdict
    from hub.core.client import TrustOptions
    from hub.core.lane import LaneKey
    from hub.core.packet import Payload
    from tests.chains.cosmos.cities import Cities

PEER: Final = CHAINS[2]
TOKEN: Final = token(PEER)
ALICE: Final = next(iter(ACCOUNTS))
HELD: Final = ACCOUNTS[ALICE]
TRANSFER: Final = PortId("transfer")
LONG_S: Final = 3_600
POLL_S: Final = 0.05


class Embedded:
    """The chain, and what its user does there."""

    def __init__(self, process: SimchainProcess) -> None:
        self.process = process

    def payload(self, receiver: str) -> Payload:
        """One token of the chain's own for *receiver*."""
        data = TransferData(denomination=TOKEN, amount=1, sender=ALICE, receiver=receiver)
        return payload_of(TRANSFER, data)

    async def send(
        self,
        lane: LaneKey,
        payloads: Sequence[Payload],
        *,
        count: int = 1,
        timeout_s: int = LONG_S,
    ) -> None:
        """*count* packets of these *payloads* are committed."""
        node = self.process.node
        one = SendPacket(
            client=parse_client_id(lane.source_client),
            timeout_timestamp=node.chain.time // SECOND + timeout_s,
            payloads=tuple(payloads),
        )
        nonce = account_nonce(node.chain.state, ALICE) + 1
        sent = await node.result(Transaction(signer=ALICE, nonce=nonce, messages=(one,) * count))
        assert sent.error is None, sent.error

    async def accuse(self, submission: Misbehaviour) -> Verdict:
        """What the relayer makes of two truths of another chain."""
        adapter = self.process._client
        assert adapter is not None
        return await adapter.submit(submission)

    def balance(self, account: str, denomination: str) -> int:
        """What *account* has."""
        ledger = ledger_to_proto(self.process.node.chain, totals_only=True)
        return sum(
            one.amount
            for one in ledger.balances
            if (one.account, one.denomination) == (account, denomination)
        )

    def supply(self, denomination: str) -> int:
        """How much there is."""
        ledger = ledger_to_proto(self.process.node.chain, totals_only=True)
        return sum(one.amount for one in ledger.supplies if one.denomination == denomination)


@asynccontextmanager
async def embedded(cities: Cities) -> AsyncIterator[Embedded]:
    """The chain, registered and attached beside *cities*."""
    layout = cities.network.layout
    config = load(layout.config(PEER))
    process = SimchainProcess(config, SystemClock(), SystemRandomness())
    with _logging_to(layout.log(PEER)):
        await process.start()
        try:
            await _register(cities, process, config.trust_options)
            yield Embedded(process)
        finally:
            await process.stop()


async def _register(cities: Cities, process: SimchainProcess, trust: TrustOptions) -> None:
    """Every operator beside it has the chain's anchor, and its adapter has a session."""
    layout, chain = cities.network.layout, process.node.chain
    while not chain.height:  # noqa: ASYNC110 - its first block sets no event
        await asyncio.sleep(POLL_S)
    anchor = anchor_at(chain, chain.height, trust)
    for owner in (HUB, *cities.cities):
        file = layout.anchor(owner, PEER)
        anchor_file.write(file, anchor, peer=PEER, display_name=str(PEER))
    await cities.cli("peer", "register", "-f", layout.anchor(HUB, PEER))
    await cities.attached(PEER)


@contextmanager
def _logging_to(file: Path) -> Iterator[None]:
    """Meanwhile this process logs as others do, to *file*: what a command prints stays its own."""
    with file.open("a", encoding="utf-8") as written:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.PrintLoggerFactory(written),
        )
        try:
            yield
        finally:
            structlog.reset_defaults()
