"""A chain that makes blocks by the clock.

Everything runs on one event loop. A block that is due too late is made at once, and the next one an
interval after it. While the disk refuses blocks, or the chain is told to (switches.py), it stands
still; nothing is lost by that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from adapters.simchain.arrivals import Arrivals
from adapters.simchain.switches import LASTING, Switches, newest_first
from hub.core.time import Duration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from adapters.sdk.clock import Clock
    from adapters.simchain.chain import Chain
    from adapters.simchain.history import Block
    from adapters.simchain.messages import Result, Transaction
    from adapters.simchain.misbehave import Misbehaviour

_log = structlog.get_logger()


class ChainNode(Protocol):
    """A node of the chain: the one that makes its blocks, or one that follows them (replica.py)."""

    chain: Chain
    """As far as this node knows it."""
    switches: Switches
    """What is done badly for a while."""
    on_block: Callable[[Block], None]
    """Called after each block, before those who wait for it."""

    async def above(self, height: int) -> int:
        """The newest block's height, as soon as it is above *height*."""
        ...

    async def result(self, transaction: Transaction) -> Result:
        """What became of *transaction* in a block. Raises ``HubError``."""
        ...

    async def submit(self, data: bytes) -> int:
        """The height of the one block that may hold the transaction with the bytes *data*.

        Raises ``HubError``.
        """
        ...


class Node:
    """One chain in the making."""

    def __init__(
        self, chain: Chain, clock: Clock, kinds: Collection[Misbehaviour] = LASTING
    ) -> None:
        """A node of *chain*, which makes no block by itself before ``run``.

        *kinds* are the switches that it has.
        """
        self.chain = chain
        self.switches = Switches(clock, kinds)
        self.on_block: Callable[[Block], None] = lambda _: None
        """Called after each block, before those who wait for it."""
        self._clock = clock
        self._arrivals = Arrivals(chain)

    async def run(self, interval: Duration) -> None:
        """A block each *interval* (ns), until it is cancelled."""
        while True:
            started = self._clock.monotonic()
            try:
                if not self.switches.is_stalled:
                    self.produce()
            except OSError as error:
                _log.error("block_refused", detail=str(error))
            await self._clock.sleep(self._left(started, interval))

    def produce(self) -> Block:
        """The next block; everyone who waits for it hears of it."""
        reorders = self.switches.is_reordering
        block = self.chain.produce_block(self._clock.now(), newest_first if reorders else None)
        self.on_block(block)
        self._arrivals.tell(block)
        return block

    async def above(self, height: int) -> int:
        """The newest block's height, as soon as it is above *height*."""
        return await self._arrivals.above(height)

    async def result(self, transaction: Transaction) -> Result:
        """What became of *transaction* in a block. Raises ``BacklogFull``."""
        with self._arrivals.outcome(self.chain.submit(transaction)) as found:
            return await found

    async def submit(self, data: bytes) -> int:
        """The height of the one block that may hold the transaction with the bytes *data*.

        Raises ``RecordCorrupt`` or ``BacklogFull``.
        """
        self.chain.submit_encoded(data)
        return self.chain.height + 1

    def stop(self) -> None:
        """No further block is made: whoever waits for one hears that the outcome is unknown."""
        self._arrivals.stop()

    def _left(self, started: int, interval: Duration) -> Duration:
        taken = self._clock.monotonic() - started
        return Duration(max(interval - taken, 0))
