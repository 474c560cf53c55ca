from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.simchain.block_log import MemoryLog, decode_record, encode_record
from adapters.simchain.events import ClientCreated
from adapters.simchain.following import answers
from adapters.simchain.messages import CreateClient, Transaction
from adapters.simchain.misbehave import Misbehaviour
from adapters.simchain.node import Node
from adapters.simchain.remote_chain import Followed, SignedRecord
from adapters.simchain.replica import MAX_TRIES, PATIENCE, Replica
from hub.core.errors import (
    BacklogFull,
    ChainUnreachable,
    FieldInvalid,
    HubError,
    Reason,
    RecordCorrupt,
    TransactionLost,
)
from hub.core.time import SECOND, Duration
from hub.wire.status import RemoteError
from tests.harness.anchors import make_anchor
from tests.harness.clock import FixedChance, ManualClock, settle
from tests.harness.simchain import chain_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

AWAY = RemoteError(code="UNAVAILABLE", reason=None, message="connection refused")


class ChainProcess:
    """The chain's process: it can be killed, come back from its log, and lose its answers."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.log = MemoryLog()
        self.node = Node(chain_of("hangzhou", self.log), clock)
        self.is_up = True
        self.is_mute = False
        self.loses_answers = False
        self.refusals: deque[Exception] = deque()
        self.submitted = 0
        self.change: SignedRecord | None = None

    def kill(self) -> None:
        """The mempool is gone with it."""
        self.is_up = False

    def start(self) -> None:
        self.node = Node(chain_of("hangzhou", self.log), self.clock)
        self.is_up = True

    def _check(self, node: Node) -> None:
        if not self.is_up or self.node is not node:
            raise AWAY

    async def follow(self, from_height: int) -> AsyncGenerator[Followed, None]:
        node = self.node
        self._check(node)
        async with aclosing(answers(node, from_height, self.clock)) as stream:
            try:
                async for answer in stream:
                    if self.is_mute:
                        await asyncio.Event().wait()
                    self._check(node)
                    blocks = [SignedRecord(one.record, one.header) for one in answer.parts]
                    if blocks and self.change:
                        blocks[-1] = self.change
                    yield Followed(tuple(blocks), answer.height)
            except HubError as error:
                raise RemoteError(
                    code="NOT_FOUND", reason=error.reason, message=str(error)
                ) from error

    async def submit(self, data: bytes) -> int:
        self.submitted += 1
        if not self.is_up:
            raise AWAY
        if self.refusals:
            raise self.refusals.popleft()
        height = await self.node.submit(data)
        if self.loses_answers:
            raise AWAY
        return height


class City:
    """A chain's process and the replica that follows it, on one clock."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.process = ChainProcess(self.clock)
        self.log = MemoryLog()
        self.replica = self.fresh()
        self.running: asyncio.Task[None] | None = None

    def fresh(self) -> Replica:
        """A replica that begins with what the log holds."""
        chain = chain_of("hangzhou", self.log)
        return Replica(chain, self.process, self.clock, FixedChance())

    async def run(self) -> City:
        self.running = asyncio.ensure_future(self.replica.run())
        await settle()
        return self

    async def block(self, count: int = 1) -> None:
        for _ in range(count):
            self.process.node.produce()
            await settle()

    async def stop(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)


@pytest.fixture
async def city() -> AsyncGenerator[City, None]:
    made = City()
    yield await made.run()
    await made.stop()


def transaction(opening: str = "o", nonce: int = 0) -> Transaction:
    message = CreateClient(anchor=make_anchor(), ordered=False, opening=opening)
    return Transaction(signer="relayer", nonce=nonce, messages=(message,))


class TestFollowing:
    async def test_it_makes_every_block_again_and_tells_of_it(self, city: City) -> None:
        seen: list[int] = []
        city.replica.on_block = lambda block: seen.append(block.height)
        waiting = asyncio.ensure_future(city.replica.above(2))
        await city.block(3)
        assert await waiting == 3
        assert seen == [1, 2, 3]
        chain = city.process.node.chain
        assert city.replica.chain.light_block(3).hash == chain.light_block(3).hash

    async def test_it_is_caught_up_once_it_was_where_the_chain_was(self) -> None:
        city = City()
        await city.block(3)
        waiting = asyncio.ensure_future(city.replica.caught_up())
        await settle()
        assert not waiting.done()
        await city.run()
        await waiting
        assert city.replica.chain.height == 3
        await city.stop()

    async def test_it_goes_on_from_its_own_log(self, city: City) -> None:
        await city.block(3)
        await city.stop()
        city.replica = city.fresh()
        assert city.replica.chain.height == 3
        await city.run()
        await city.block()
        assert city.replica.chain.height == 4

    async def test_it_waits_for_a_chain_that_is_away_and_finds_it_again(self, city: City) -> None:
        await city.block()
        city.process.kill()
        waiting = asyncio.ensure_future(city.replica.above(1))
        await city.clock.advance(Duration(60 * SECOND))
        assert not waiting.done()
        city.process.start()
        await city.block()
        await city.clock.advance(Duration(2 * SECOND))
        assert await waiting == 2

    @pytest.mark.parametrize("is_record", [True, False])
    async def test_a_block_that_leads_to_another_header_ends_it(
        self, city: City, *, is_record: bool
    ) -> None:
        await city.block()
        chain = city.process.node.chain
        city.process.node.produce()
        record, header = chain.record(2), chain.record(1)
        if is_record:
            changed = replace(decode_record(record), transactions=(b"",))
            record = encode_record(changed)
        city.process.change = SignedRecord(record, header)
        await settle()
        assert city.running is not None
        with pytest.raises(RecordCorrupt):
            await city.running
        assert city.replica.chain.height == 1

    async def test_a_chain_that_has_lost_blocks_ends_it(self, city: City) -> None:
        await city.block(3)
        city.process.kill()
        city.process.log = MemoryLog()
        city.process.start()
        await city.clock.advance(Duration(2 * SECOND))
        assert city.running is not None
        with pytest.raises(RecordCorrupt) as caught:
            await city.running
        assert "hangzhou-1" in caught.value.what

    async def test_while_its_disk_refuses_blocks_it_stands_still(self, city: City) -> None:
        await city.block()

        def refuse(record: bytes) -> None:
            raise OSError(28, "No space left on device", len(record))

        append, city.log.append = city.log.append, refuse  # type: ignore[method-assign]
        await city.block()
        assert city.replica.chain.height == 1
        city.log.append = append  # type: ignore[method-assign]
        await city.clock.advance(Duration(2 * SECOND))
        assert city.replica.chain.height == 2

    async def test_it_has_the_adapters_switches(self, city: City) -> None:
        city.replica.switches.turn_on(Misbehaviour.REFUSE, None, Duration(SECOND))
        assert city.replica.switches.is_refusing
        with pytest.raises(FieldInvalid):
            city.replica.switches.turn_on(Misbehaviour.STALL, None, Duration(SECOND))


class TestTransactions:
    async def test_a_transaction_has_its_result_once_its_block_is_followed(
        self, city: City
    ) -> None:
        waiting = asyncio.ensure_future(city.replica.result(transaction()))
        await settle()
        assert not waiting.done()
        await city.block()
        result = await waiting
        assert (result.height, result.error) == (1, None)
        assert result == city.process.node.chain.result(result.tx_hash)

    async def test_one_that_a_killed_chain_took_is_submitted_again(self, city: City) -> None:
        waiting = asyncio.ensure_future(city.replica.result(transaction()))
        await settle()
        city.process.kill()
        city.process.start()
        await city.clock.advance(Duration(2 * SECOND))
        assert not waiting.done()
        await city.block()
        assert not waiting.done()
        await city.block()
        assert (await waiting).height == 2
        assert city.process.submitted == 2

    async def test_one_whose_answer_is_lost_is_found_in_its_block_and_done_once(
        self, city: City
    ) -> None:
        city.process.loses_answers = True
        waiting = asyncio.ensure_future(city.replica.result(transaction()))
        await settle()
        await city.block()
        result = await waiting
        assert isinstance(result.events[0], ClientCreated)
        assert city.process.submitted == 1
        await city.block()
        assert len(city.process.node.chain.block(2).results) == 0  # type: ignore[union-attr]

    async def test_one_that_is_submitted_while_the_chain_is_away_waits_a_little(
        self, city: City
    ) -> None:
        city.process.kill()
        waiting = asyncio.ensure_future(city.replica.result(transaction()))
        await city.clock.advance(Duration(3 * SECOND))
        city.process.start()
        await city.clock.advance(Duration(SECOND))
        await city.block()
        await city.clock.advance(Duration(SECOND))
        await city.block()
        assert (await waiting).error is None

    async def test_where_the_chain_stays_away_nothing_is_known(self, city: City) -> None:
        city.process.kill()
        waiting = asyncio.ensure_future(city.replica.result(transaction()))
        await settle()
        await city.clock.advance(Duration(PATIENCE - SECOND))
        assert not waiting.done()
        await city.clock.advance(Duration(SECOND))
        with pytest.raises(ChainUnreachable):
            await waiting

    async def test_a_chain_that_is_slow_but_not_silent_is_waited_for(self, city: City) -> None:
        waiting = asyncio.ensure_future(city.replica.result(transaction()))
        for _ in range(60):
            await city.clock.advance(SECOND)
        assert not waiting.done()
        await city.block()
        assert (await waiting).height == 1

    async def test_one_that_would_act_twice_is_never_submitted_again_while_it_may_act(
        self, city: City
    ) -> None:
        city.process.loses_answers = True
        waiting = asyncio.ensure_future(city.replica.result(transaction(opening="")))
        for _ in range(10):
            await city.clock.advance(SECOND)
        with pytest.raises(ChainUnreachable):
            await waiting
        assert city.process.submitted == 1

    async def test_one_that_would_act_twice_is_submitted_again_where_it_has_certainly_not_acted(
        self, city: City
    ) -> None:
        waiting = asyncio.ensure_future(city.replica.result(transaction(opening="")))
        await settle()
        city.process.kill()
        city.process.start()
        await city.clock.advance(Duration(2 * SECOND))
        await city.block(2)
        assert (await waiting).height == 2

    async def test_a_full_mempool_is_told_as_it_is(self, city: City) -> None:
        told = {"lane": "mempool", "count": "7", "limit": "7"}
        city.process.refusals.append(
            RemoteError(
                code="RESOURCE_EXHAUSTED",
                reason=Reason.BACKLOG_FULL,
                message="full",
                metadata=told,
            )
        )
        with pytest.raises(BacklogFull) as caught:
            await city.replica.result(transaction())
        assert (caught.value.lane, caught.value.limit) == ("mempool", 7)

    async def test_what_the_chain_does_not_take_as_a_transaction_is_told(self, city: City) -> None:
        city.process.refusals.append(
            RemoteError(code="INVALID_ARGUMENT", reason=Reason.FIELD_INVALID, message="is none")
        )
        with pytest.raises(FieldInvalid):
            await city.replica.submit(b"garbage")

    async def test_a_chain_that_fails_again_and_again_is_given_up(self, city: City) -> None:
        failure = RemoteError(code="INTERNAL", reason=Reason.INTERNAL, message="a bug")
        city.process.refusals.extend([failure] * 100)
        waiting = asyncio.ensure_future(city.replica.result(transaction()))
        for _ in range(30):
            await city.clock.advance(SECOND)
        with pytest.raises(ChainUnreachable):
            await waiting
        assert city.process.submitted == MAX_TRIES

    async def test_a_chain_that_takes_it_and_leaves_it_out_again_and_again_has_lost_it(
        self, city: City
    ) -> None:
        waiting = asyncio.ensure_future(city.replica.result(transaction()))
        for _ in range(MAX_TRIES):
            await settle()
            city.process.kill()
            city.process.start()
            await city.clock.advance(Duration(2 * SECOND))
            await city.block()
        with pytest.raises(TransactionLost) as caught:
            await waiting
        assert caught.value.height == MAX_TRIES
        assert city.process.submitted == MAX_TRIES

    async def test_transactions_are_taken_in_the_order_in_which_they_came(self, city: City) -> None:
        waiting = [
            asyncio.ensure_future(city.replica.result(transaction(f"o{number}")))
            for number in range(20)
        ]
        await settle()
        await settle()
        await city.block()
        results = await asyncio.gather(*waiting)
        block = city.process.node.chain.block(1)
        assert block is not None
        assert [one.tx_hash for one in block.results] == [one.tx_hash for one in results]

    async def test_one_who_gives_up_leaves_nothing(self, city: City) -> None:
        waiting = asyncio.ensure_future(city.replica.result(transaction()))
        await settle()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert city.replica._arrivals._waiting == {}
        await city.block()

    async def test_when_it_stops_the_outcome_is_unknown(self, city: City) -> None:
        waiting = asyncio.ensure_future(city.replica.result(transaction()))
        await settle()
        city.replica.stop()
        with pytest.raises(ChainUnreachable):
            await waiting
