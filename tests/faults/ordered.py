"""An ordered lane under faults: ``python -m tests.faults.ordered --packets N --kills N``.

Of the packets one in twenty fails: denied by its route, refused by the application, or too late.
The relayer is killed again and again, both chains take transactions newest first and show the
newest items first, items are shown twice, and, where the gateways enforce order, somebody else
delivers and refunds over the same clients. By the ledger of the destination everything is executed
in sequence and nothing is left out.

The chains run in this process, so that their ledgers and mempools are at hand; the relayer, the hub
and PostgreSQL are processes.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final

import structlog
from ydhub.simchain.v1 import simchain_service_pb2 as simchain

from adapters.sdk.clock import SystemClock, SystemRandomness
from adapters.simchain.config import load
from adapters.simchain.execution import account_nonce
from adapters.simchain.messages import SendPacket, Transaction
from adapters.simchain.misbehave import Misbehaviour
from adapters.simchain.process import SimchainProcess
from adapters.simchain.queries import client_view
from adapters.simchain.transfer_data import TransferData, payload_of
from hub.cli.dev.configs import token
from hub.cli.dev.layout import RELAYER
from hub.cli.dev.network import STOP_WITHIN
from hub.core.errors import HubError, TimeoutInvalid
from hub.core.ids import PortId
from hub.core.lane import Order
from hub.core.time import SECOND, Duration, whole_seconds
from tests.harness.network import AMOUNT, HANGZHOU, SUZHOU, running
from tests.harness.simchain import Path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from adapters.simchain.chain import Chain
    from adapters.simchain.messages import Message
    from hub.core.ids import ClientId
    from hub.core.lane import LaneKey
    from hub.core.packet import Packet
    from tests.harness.network import LiveNetwork

ORDERS: Final = (Order.ENFORCED, Order.BEST_EFFORT)
IN_ONE: Final = 256
"""Packets that are sent by one transaction."""
FAILING_OF: Final = 20
KINDS: Final = ("denied", "refused", "late")
LIVES_S: Final = 3600
DIES_S: Final = (10, 30)
"""Between these, the timeouts of packets that are denied or late."""
REORDER: Final = Duration(600 * SECOND)
PATIENCE_S: Final = 900
EVERY_S: Final = 0.5


@dataclass(slots=True)
class Sent:
    """What was sent, by how it should end."""

    kinds: dict[int, str] = field(default_factory=dict)
    """By sequence; empty for a packet with nothing wrong."""

    def of(self, kind: str) -> set[int]:
        return {sequence for sequence, one in self.kinds.items() if one == kind}


@dataclass(slots=True)
class Figures:
    """What came of it."""

    packets: int
    kills: int
    seconds: int
    by_kind: Counter[str]
    executed: int
    refused: int
    passed: int
    others: int
    """Transactions of others."""


@dataclass(slots=True)
class Run:
    """One lane, its two chains, and those who act on them."""

    live: LiveNetwork
    lane: LaneKey
    left: SimchainProcess
    right: SimchainProcess
    chance: Random
    sent: Sent = field(default_factory=Sent)
    others: int = 0

    @property
    def source(self) -> Chain:
        return self.left.node.chain

    @property
    def target(self) -> Chain:
        return self.right.node.chain

    async def send(self, count: int) -> None:
        """*count* packets, in blocks of many; what fails stands anywhere among them."""
        while len(self.sent.kinds) < count:
            size = min(IN_ONE, count - len(self.sent.kinds))
            kinds = [self._kind() for _ in range(size)]
            messages = tuple([self._message(kind) for kind in kinds])
            nonce = account_nonce(self.source.state, "alice") + 1
            result = await self.left.node.result(
                Transaction(signer="alice", nonce=nonce, messages=messages)
            )
            if isinstance(result.error, TimeoutInvalid):
                continue  # a block came too late for one that was to die soon
            assert result.error is None, result.error
            first = len(self.sent.kinds) + 1
            self.sent.kinds |= dict(enumerate(kinds, first))
        self.live.sent[self.lane] += count

    def _kind(self) -> str:
        return self.chance.choice(KINDS) if self.chance.randrange(FAILING_OF) == 0 else ""

    def _message(self, kind: str) -> SendPacket:
        lives = self.chance.randint(*DIES_S) if kind in {"denied", "late"} else LIVES_S
        data = TransferData(
            denomination=token(HANGZHOU),
            amount=AMOUNT,
            sender="alice",
            receiver="no account" if kind == "refused" else "bob",
        )
        port = PortId("archive" if kind == "denied" else "transfer")
        return SendPacket(
            client=self.lane.source_client,
            timeout_timestamp=whole_seconds(SystemClock().now()) + lives,
            payloads=(payload_of(port, data),),
        )

    async def kill(self, times: int) -> None:
        """The relayer dies and comes again, so often; each time after something has happened."""
        for _ in range(times):
            await asyncio.sleep(self.chance.uniform(1, 4))
            await self.live.kill(RELAYER)
            self.live.network.launch(RELAYER)
            await self.live.attached(HANGZHOU, SUZHOU)

    async def replay(self) -> None:
        """The source's adapter shows items again, now and then."""
        while True:
            await asyncio.sleep(self.chance.uniform(1, 3))
            request = simchain.MisbehaveRequest(
                kind=simchain.MisbehaveRequest.KIND_REPLAY, client=self.lane.source_client
            )
            try:
                async with self.live.chain(HANGZHOU) as chain:
                    await chain.call(chain.simchain.Misbehave, request)
            except HubError:
                continue  # nothing to show, or nobody to show it to

    async def interfere(self) -> None:
        """Somebody else delivers some packets, twice and in any order, and refunds some."""
        while True:
            await asyncio.sleep(self.chance.uniform(0.2, 1))
            pending = [one.packet for one in self.source.ledger.pending(self.lane.source_client)]
            allowed = [one for one in pending[:IN_ONE] if self._kind_of(one) != "denied"]
            for _ in range(2):
                self._deliver(self.chance.sample(allowed, min(len(allowed), self._few())))
            now = whole_seconds(SystemClock().now())
            late = [one for one in pending if one.timeout_timestamp < now - 2]
            for packet in self.chance.sample(late, min(len(late), 2)):
                self._refund(packet)

    def _few(self) -> int:
        return self.chance.randint(1, 40)

    def _deliver(self, packets: list[Packet]) -> None:
        rising = sorted(packets, key=lambda packet: packet.sequence)
        if rising:
            self._try(self.target, lambda path: path.receive(self.source, rising))

    def _refund(self, packet: Packet) -> None:
        self._try(self.source, lambda path: path.time_out(self.source, packet))

    def _kind_of(self, packet: Packet) -> str:
        return self.sent.kinds.get(packet.sequence, "denied")

    def _try(self, chain: Chain, make: Callable[[Path], Message]) -> None:
        """A message goes into *chain*'s next block, if it can be proven at all."""
        ends: dict[str, ClientId] = {
            self.source.config.chain_id: self.lane.source_client,
            self.target.config.chain_id: self.lane.destination_client,
        }
        path = Path(self.source, self.target, SystemClock().now(), ends)
        try:
            message = make(path)
            height = message.proof_height.number  # type: ignore[union-attr]
            messages: tuple[Message, ...] = (message,)
            if height not in client_view(chain, path.client(chain)).heights:
                messages = (path.update(chain, height), message)
            chain.submit(Transaction(signer="others", nonce=0, messages=messages))
            self.others += 1
        except (HubError, ValueError):
            return  # a packet that has ended meanwhile, a client that is ahead, a full mempool

    async def ended(self) -> None:
        """Returns once every packet has ended at its source, by the source's own ledger."""
        async with asyncio.timeout(PATIENCE_S):
            while self.source.ledger.outgoing[self.lane.source_client].pending:  # noqa: ASYNC110
                await asyncio.sleep(EVERY_S)

    def check(self, *, enforced: bool) -> None:
        """By the destination's ledger: in sequence, nothing left out, nothing twice."""
        effects = self.target.ledger.incoming[self.lane.destination_client].effects
        count = len(self.sent.kinds)
        order = list(effects)
        if enforced:
            assert order == list(range(1, count + 1)), _first_wrong(order)
        assert order == sorted(order), _first_wrong(order)
        assert list(self.target.ledger.violations()) == []
        assert list(self.source.ledger.violations()) == []
        executed = {number for number, one in effects.items() if one.executed}
        refused = {number for number, one in effects.items() if one.refused}
        assert executed >= self.sent.of("")
        assert not executed & (self.sent.of("denied") | self.sent.of("refused"))
        assert refused == self.sent.of("refused")
        here = self.source.ledger.outgoing[self.lane.source_client].effects
        for number, one in here.items():
            is_received = number in executed | refused
            assert (one.acknowledged, one.timed_out) == (is_received, not is_received), number


def _first_wrong(order: Sequence[int]) -> str:
    for at, (before, after) in enumerate(pairwise(order)):
        if after != before + 1:
            return f"{after} after {before}, at {at}"
    return f"{len(order)}, from {order[:1]} to {order[-1:]}"


@asynccontextmanager
async def at_hand(live: LiveNetwork, peer: str) -> AsyncIterator[SimchainProcess]:
    """*peer*'s chain runs in this process; afterwards it is one of its own again."""
    await live.network.processes.stop(peer, STOP_WITHIN)
    config = load(live.network.layout.config(peer))
    process = SimchainProcess(config, SystemClock(), SystemRandomness())
    await process.start()
    try:
        await live.attached(peer)
        yield process
    finally:
        await process.stop()
        await live.network.start(peer)


async def ordered(
    live: LiveNetwork, order: Order, *, packets: int, kills: int, seed: int
) -> Figures:
    """A lane of its own with *order*, under all faults. Raises ``AssertionError``.

    Where others act, some packets never come to the hub: the chains' ledgers alone judge.
    """
    lane = await live.opened(await live.ask_for_lanes(HANGZHOU, SUZHOU, order))
    enforced = order is Order.ENFORCED
    clock = SystemClock()
    async with at_hand(live, HANGZHOU) as left, at_hand(live, SUZHOU) as right:
        run = Run(live, lane, left, right, Random(seed))
        began = clock.monotonic()
        for process in (left, right):
            process.node.switches.turn_on(Misbehaviour.REORDER, None, REORDER)
        trouble = [asyncio.create_task(run.replay())]
        if enforced:
            trouble.append(asyncio.create_task(run.interfere()))
        try:
            async with asyncio.TaskGroup() as work:
                work.create_task(run.send(packets))
                work.create_task(run.kill(kills))
            await run.ended()
        finally:
            for task in trouble:
                task.cancel()
            await asyncio.gather(*trouble, return_exceptions=True)
        seconds = (clock.monotonic() - began) // SECOND
        run.check(enforced=enforced)
        await live.sound()
        effects = run.target.ledger.incoming[lane.destination_client].effects.values()
        return Figures(
            packets=packets,
            kills=kills,
            seconds=seconds,
            by_kind=Counter(run.sent.kinds.values()),
            executed=sum(one.executed for one in effects),
            refused=sum(one.refused for one in effects),
            passed=sum(one.expired for one in effects),
            others=run.others,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.ordered", description=__doc__)
    parser.add_argument("--packets", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--order", choices=ORDERS, nargs="*", default=ORDERS)
    given = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for order in map(Order, given.order):
        with running() as live:
            figures = asyncio.run(
                ordered(live, order, packets=given.packets, kills=given.kills, seed=given.seed)
            )
        print(f"{order}: {figures}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
