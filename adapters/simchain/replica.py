"""A full node of the chain in the adapter's own process.

It makes every block of the chain again, from what the chain made it from: whatever it tells and
proves is of its own state, and a block that leads to another header than the one that the chain has
signed ends it. It makes no block of its own; transactions are the chain's to take. While the chain
is away it waits, and it finds it again by itself.

The chain takes whatever waits into its next block, so a transaction that it took is in that block,
or the chain was killed before and nothing can come of it. Where the chain's answer is lost too, the
blocks tell, and the same bytes are submitted again if being executed twice is harmless.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from adapters.sdk.backoff import CHANCES, delay
from adapters.sdk.waiting import within
from adapters.simchain.arrivals import Arrivals
from adapters.simchain.codec import encode_transaction, transaction_hash
from adapters.simchain.messages import CreateClient
from adapters.simchain.switches import OF_ADAPTER, Switches
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

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from adapters.sdk.clock import Clock, Randomness
    from adapters.simchain.chain import Chain
    from adapters.simchain.history import Block
    from adapters.simchain.messages import Result, Transaction
    from adapters.simchain.remote_chain import Followed

LONGEST_REDIAL: Final = Duration(2 * SECOND)
"""A chain that comes back is found within this (ns)."""
PATIENCE: Final = Duration(5 * SECOND)
"""Who waits for a transaction while the chain is silent for so long (ns) hears that nothing is
known."""
MAX_TRIES: Final = 8
"""Times that a transaction is submitted to a chain that is not silent, and takes none."""

_log = structlog.get_logger()


class Upstream(Protocol):
    """The chain's own process."""

    def follow(self, from_height: int) -> AsyncGenerator[Followed, None]:
        """Every block from *from_height* on, until the connection ends. Raises ``RemoteError``."""
        ...

    async def submit(self, data: bytes) -> int:
        """The height of the one block that may hold the transaction with the bytes *data*.

        Raises ``RemoteError`` or ``LimitExceeded``.
        """
        ...


class Replica:
    """One chain, made again block by block."""

    def __init__(
        self, chain: Chain, upstream: Upstream, clock: Clock, randomness: Randomness
    ) -> None:
        """A node that knows *chain* so far, and follows *upstream* once it is ``run``."""
        self.chain = chain
        self.switches = Switches(clock, OF_ADAPTER)
        self.on_block: Callable[[Block], None] = lambda _: None
        """Called after each block, before those who wait for it."""
        self._upstream = upstream
        self._clock = clock
        self._randomness = randomness
        self._arrivals = Arrivals(chain)
        self._submitting = asyncio.Lock()
        self._caught_up = asyncio.Event()
        self._heard = clock.monotonic()

    async def run(self) -> None:
        """Follows the chain until it is cancelled.

        Raises ``RecordCorrupt`` where the chain is not the one that this node has seen.
        """
        tries = 0
        while True:
            began = self.chain.height
            try:
                await self._follow()
            except RemoteError as error:
                self._check_behind(error)
                _log.warning("chain_lost", reason=error.reason or error.code, detail=error.message)
            except FieldInvalid as error:
                _log.error("chain_not_dialled", reason=error.reason, detail=str(error))
            except OSError as error:
                _log.error("block_refused", detail=str(error))
            tries = 1 if self.chain.height > began else tries + 1
            await self._clock.sleep(self._delay(tries, LONGEST_REDIAL))

    async def caught_up(self) -> None:
        """Returns once this node has been where the chain was."""
        await self._caught_up.wait()

    async def above(self, height: int) -> int:
        """The newest block's height, as soon as it is above *height*."""
        return await self._arrivals.above(height)

    async def result(self, transaction: Transaction) -> Result:
        """What became of *transaction* in a block.

        Raises ``BacklogFull``, ``LimitExceeded`` or ``TransactionLost``, or ``ChainUnreachable``
        where nothing is known of it.
        """
        data, harmless = encode_transaction(transaction), _is_harmless(transaction)
        with self._arrivals.outcome(transaction_hash(data)) as found:
            settling = asyncio.ensure_future(self._settle(data, found, harmless=harmless))
            silence = asyncio.ensure_future(self._silence())
            try:
                await asyncio.wait((found, settling, silence), return_when=asyncio.FIRST_COMPLETED)
                if not found.done() and settling.done():
                    settling.result()
                if not found.done():
                    raise self._unreachable(
                        "it is silent, so what became of a transaction is not known"
                    )
                return found.result()
            finally:
                for task in (settling, silence):
                    task.cancel()
                await asyncio.gather(settling, silence, return_exceptions=True)

    async def submit(self, data: bytes) -> int:
        """The height of the one block that may hold the transaction with the bytes *data*.

        Raises ``FieldInvalid``, ``BacklogFull``, ``LimitExceeded`` or ``ChainUnreachable``.
        """
        try:
            # What is submitted first is taken first.
            async with self._submitting:
                return await self._upstream.submit(data)
        except RemoteError as error:
            raise self._refusal(error) from error

    def stop(self) -> None:
        """Nothing is followed any more: whoever waits hears that the outcome is unknown."""
        self._arrivals.stop()

    async def _follow(self) -> None:
        async with aclosing(self._upstream.follow(self.chain.height + 1)) as answers:
            async for said in answers:
                for one in said.blocks:
                    block = self.chain.follow(one.record, one.header)
                    self._heard = self._clock.monotonic()
                    self.on_block(block)
                    self._arrivals.tell(block)
                    # A node that catches up lets others run between its blocks.
                    await asyncio.sleep(0)
                self._heard = self._clock.monotonic()
                if self.chain.height >= said.height:
                    self._caught_up.set()

    async def _settle(self, data: bytes, found: asyncio.Future[Result], *, harmless: bool) -> None:
        """Returns once *found* is done. Raises ``HubError`` where nothing will be known of it."""
        for tries in range(1, MAX_TRIES + 1):
            is_last = tries == MAX_TRIES
            try:
                height = await self.submit(data)
            except ChainUnreachable:
                # It may have been taken all the same: then a block tells.
                is_last = is_last or not harmless
                wait = PATIENCE if is_last else self._delay(tries, Duration(SECOND))
                await self._rest(found, wait)
                if is_last and not found.done():
                    raise
            else:
                # A block's results are told before the block is.
                await self.above(height - 1)
            if found.done():
                return
        name = transaction_hash(data).hex()
        chain = self.chain.config.chain_id
        raise TransactionLost(chain=chain, transaction=name, height=self.chain.height)

    async def _rest(self, found: asyncio.Future[Result], wait: Duration) -> None:
        """Returns once *found* is done, or *wait* (ns) later."""
        with suppress(TimeoutError):
            await within(_done(found), self._clock, wait)

    async def _silence(self) -> None:
        """Returns once the chain has said nothing for ``PATIENCE``."""
        asked = self._clock.monotonic()
        while (left := max(self._heard, asked) + PATIENCE - self._clock.monotonic()) > 0:
            await self._clock.sleep(Duration(left))

    def _check_behind(self, error: RemoteError) -> None:
        """The chain knows every block that this node does. Raises ``RecordCorrupt``."""
        if error.reason is Reason.HEADER_NOT_FOUND:
            raise RecordCorrupt(
                what=f"blocks of {self.chain.config.chain_id}",
                stored=f"up to {self.chain.height} here",
                computed=f"fewer by its own node: {error.message}",
            )

    def _refusal(self, error: RemoteError) -> HubError:
        """Why a transaction was not taken, or that nothing is known of that."""
        match error.reason:
            case Reason.BACKLOG_FULL:
                told = error.metadata
                return BacklogFull(
                    lane=told.get("lane", ""),
                    count=_number(told.get("count", "")),
                    limit=_number(told.get("limit", "")),
                )
            case Reason.FIELD_INVALID:
                return FieldInvalid(field="transaction", problem=error.message)
            case _:
                return self._unreachable(str(error))

    def _unreachable(self, problem: str) -> ChainUnreachable:
        return ChainUnreachable(chain=self.chain.config.chain_id, problem=problem)

    def _delay(self, tries: int, longest: Duration) -> Duration:
        return delay(tries, self._randomness.below(CHANCES), longest=longest)


def _is_harmless(transaction: Transaction) -> bool:
    """Whether *transaction* may be executed twice: its nonce or what it asks for sees to that."""
    return bool(transaction.nonce) or not any(
        isinstance(message, CreateClient) and not message.opening
        for message in transaction.messages
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


async def _done(future: asyncio.Future[Result]) -> None:
    await asyncio.wait((future,))
