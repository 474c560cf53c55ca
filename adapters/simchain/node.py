"""A chain that makes blocks by the clock, and those who wait for them.

Everything runs on one event loop. A block that is due too late is made at once, and the next one an
interval after it. While the disk refuses blocks, or the chain is told to (switches.py), it stands
still; nothing is lost by that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from adapters.simchain.switches import Switches, newest_first
from hub.core.errors import ChainUnreachable
from hub.core.time import Duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.clock import Clock
    from adapters.simchain.chain import Chain
    from adapters.simchain.history import Block
    from adapters.simchain.messages import Result, Transaction

_log = structlog.get_logger()


class Node:
    """One chain in the making."""

    def __init__(self, chain: Chain, clock: Clock) -> None:
        """A node of *chain*, which makes no block by itself before ``run``."""
        self.chain = chain
        self.switches = Switches(clock)
        self.on_block: Callable[[Block], None] = lambda _: None
        """Called after each block, before those who wait for it."""
        self._clock = clock
        self._block = asyncio.Event()
        self._waiting: dict[bytes, asyncio.Future[Result]] = {}

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
        for result in block.results:
            future = self._waiting.pop(result.tx_hash, None)
            if future is not None and not future.done():
                future.set_result(result)
        event, self._block = self._block, asyncio.Event()
        event.set()
        return block

    async def above(self, height: int) -> int:
        """The newest block's height, as soon as it is above *height*."""
        while self.chain.height <= height:
            await self._block.wait()
        return self.chain.height

    async def result(self, transaction: Transaction) -> Result:
        """What became of *transaction* in a block. Raises ``BacklogFull``."""
        tx_hash = self.chain.submit(transaction)
        future = self._waiting.get(tx_hash)
        if future is None:
            future = self._waiting[tx_hash] = asyncio.get_running_loop().create_future()
        # Others may wait for the same.
        return await asyncio.shield(future)

    def stop(self) -> None:
        """No further block is made: whoever waits for one hears that the outcome is unknown."""
        for future in self._waiting.values():
            if not future.done():
                problem = "the process stops"
                error = ChainUnreachable(chain=self.chain.config.chain_id, problem=problem)
                future.set_exception(error)
                future.exception()  # seen, also where its waiter has given up
        self._waiting.clear()

    def _left(self, started: int, interval: Duration) -> Duration:
        taken = self._clock.monotonic() - started
        return Duration(max(interval - taken, 0))
