"""Those who wait for the blocks of one chain, and for what becomes of transactions in them.

Everything runs on one event loop.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.core.errors import ChainUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.simchain.chain import Chain
    from adapters.simchain.history import Block
    from adapters.simchain.messages import Result


class Arrivals:
    """The waiters of one chain."""

    def __init__(self, chain: Chain) -> None:
        """Nobody waits for a block of *chain* yet."""
        self._chain = chain
        self._block = asyncio.Event()
        self._waiting: dict[bytes, list[asyncio.Future[Result]]] = {}

    def tell(self, block: Block) -> None:
        """*block* is the chain's newest: everyone who waits for it hears of it."""
        for result in block.results:
            for future in self._waiting.pop(result.tx_hash, ()):
                if not future.done():
                    future.set_result(result)
        event, self._block = self._block, asyncio.Event()
        event.set()

    async def above(self, height: int) -> int:
        """The newest block's height, as soon as it is above *height*."""
        while self._chain.height <= height:
            await self._block.wait()
        return self._chain.height

    @contextmanager
    def outcome(self, tx_hash: bytes) -> Iterator[asyncio.Future[Result]]:
        """What will have become of the transaction with *tx_hash* in a block that comes from now.

        The future fails with ``ChainUnreachable`` where none will come.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tx_hash, []).append(future)
        try:
            yield future
        finally:
            self._forget(tx_hash, future)

    def stop(self) -> None:
        """No further block comes: whoever waits for a transaction hears that nothing is known."""
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    problem = "the process stops"
                    chain_id = self._chain.config.chain_id
                    future.set_exception(ChainUnreachable(chain=chain_id, problem=problem))
                    future.exception()  # seen, also where its waiter never runs again
        self._waiting.clear()

    def _forget(self, tx_hash: bytes, future: asyncio.Future[Result]) -> None:
        future.cancel()
        left = [one for one in self._waiting.pop(tx_hash, ()) if one is not future]
        if left:
            self._waiting[tx_hash] = left
