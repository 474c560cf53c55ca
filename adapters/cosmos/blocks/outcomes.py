"""What became of transactions: found by their hash in the blocks, proven by the header after.

The transactions of a block are fetched only while somebody waits for one. Whoever begins to wait
has the last blocks looked through first: the transaction may stand in one already.

Source: CometBFT types/tx.go (a transaction's hash is the SHA-256 of its bytes).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import structlog

from adapters.sdk.backoff import CHANCES, delay
from hub.core.errors import HeaderNotFound, HubError, LimitExceeded, RecordCorrupt, TransactionLost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapters.cosmos.rpc.node import CometNode
    from adapters.cosmos.rpc.records import BlockResults, TxResult
    from adapters.sdk.clock import Clock

LOOK_BACK: Final = 32
"""Blocks that are looked through for a transaction: more than a broadcast takes to be answered."""

_log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Waiter:
    tx_hash: bytes
    timeout_height: int
    result: asyncio.Future[TxResult]
    is_looking_back: bool = True


class Outcomes:
    """Those who wait for transactions of one chain."""

    def __init__(
        self, node: CometNode, clock: Clock, proven: Callable[[int], Awaitable[BlockResults]]
    ) -> None:
        """Nobody waits. *proven* are a block's results, as the next header has them."""
        self._node = node
        self._clock = clock
        self._proven = proven
        self._waiters: set[_Waiter] = set()
        self._hashes: dict[int, tuple[bytes, ...]] = {}
        """Of each block looked through, its transactions in their order."""
        self._fetching = asyncio.Lock()
        self._processed = 0

    def start(self, processed: int) -> None:
        """The blocks up to *processed* have passed."""
        self._processed = processed

    async def see(self, results: BlockResults) -> None:
        """The next block, as the header after it proves it; those who waited for it are told."""
        height = results.height
        if self._waiters:
            places = await self._places(height)
            if len(places) != len(results.transactions):
                raise self._contradicted(height)
            for waiter in self._waiters:
                if waiter.tx_hash in places and not waiter.result.done():
                    waiter.result.set_result(results.transactions[places.index(waiter.tx_hash)])
        self._processed = height
        for waiter in self._waiters:
            self._give_up(waiter)
        for seen in [seen for seen in self._hashes if seen <= height - LOOK_BACK]:
            del self._hashes[seen]

    async def outcome(self, tx_hash: bytes, timeout_height: int) -> TxResult:
        """What the chain made of a transaction. Raises ``TransactionLost``."""
        result: asyncio.Future[TxResult] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(tx_hash, timeout_height, result)
        self._waiters.add(waiter)
        try:
            found = await self._look_back(waiter)
            if found is not None:
                return found
            waiter.is_looking_back = False
            self._give_up(waiter)
            return await result
        finally:
            self._waiters.discard(waiter)

    def _give_up(self, waiter: _Waiter) -> None:
        is_over = self._processed >= waiter.timeout_height and not waiter.is_looking_back
        if is_over and not waiter.result.done():
            waiter.result.set_exception(
                TransactionLost(
                    chain=self._node.chain_id,
                    transaction=waiter.tx_hash.hex().upper(),
                    height=waiter.timeout_height,
                )
            )

    async def _look_back(self, waiter: _Waiter) -> TxResult | None:
        """What one of the blocks that passed last made of the transaction, if one did."""
        last, tries = self._processed, 0
        height = last
        while height > max(last - LOOK_BACK, 0) and not waiter.result.done():
            try:
                places = await self._places(height)
                if waiter.tx_hash in places:
                    results = await self._proven(height)
                    if len(places) != len(results.transactions):
                        raise self._contradicted(height)
                    return results.transactions[places.index(waiter.tx_hash)]
                height -= 1
            except HeaderNotFound:
                break
            except LimitExceeded as error:
                # Whether it is in that block, the chain's state has to tell.
                _log.warning("block_not_looked_through", height=height, detail=str(error))
                height -= 1
            except HubError as error:
                tries += 1
                if isinstance(error, RecordCorrupt):
                    self._node.doubt()
                _log.warning("look_back_failed", reason=error.reason, detail=str(error))
                await self._clock.sleep(delay(tries, CHANCES - 1))
        return None

    async def _places(self, height: int) -> tuple[bytes, ...]:
        """The hashes of the block's transactions, in their order."""
        async with self._fetching:
            places = self._hashes.get(height)
            if places is None:
                transactions = await self._node.transactions(height)
                places = tuple([sha256(one).digest() for one in transactions])
                self._hashes[height] = places
            return places

    def _contradicted(self, height: int) -> RecordCorrupt:
        # Their hash by the header may be cached; the next try fetches them again.
        count = len(self._hashes.pop(height, ()))
        return RecordCorrupt(
            what=f"results of block {height} of {self._node.chain_id}",
            stored="another count of transactions",
            computed=f"{count}",
        )
