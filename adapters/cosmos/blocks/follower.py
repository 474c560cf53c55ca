"""The chain's blocks as they come, and what they did: for the session, and for who submitted.

A block is processed when the header after it is there. What it did to transactions is compared with
that header, so an outcome is as well proven as the header is. The newest header that callers hear
of is the one after the last block processed: whatever stands under it has been seen.

Blocks are processed in their order, none left out, whatever becomes of the node meanwhile. Only
where every node has pruned them, or has them larger than is ever read, they are passed over; then
everything that stands is listed anew. A node that contradicts itself, or has not what it claims to
have, is asked last from then on.

Source: CometBFT 0.38 spec/core/data_structures.md (last_results_hash, app_hash).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from adapters.cosmos.blocks.events import read_facts
from adapters.cosmos.blocks.history import History
from adapters.cosmos.blocks.outcomes import Outcomes
from adapters.sdk.backoff import CHANCES, delay
from adapters.sdk.chain import Head
from hub.core.errors import HeaderNotFound, HubError, LimitExceeded, RecordCorrupt, Unavailable
from hub.core.height import Height
from hub.core.lane import Side
from hub.core.time import SECOND, Duration, Timestamp
from hub.light_clients.cometbft.header import revision_of

if TYPE_CHECKING:
    from adapters.cosmos.rpc.node import CometNode
    from adapters.cosmos.rpc.records import BlockResults, TxResult
    from adapters.sdk.chain import Item
    from adapters.sdk.clock import Clock
    from hub.core.ids import ClientId
    from hub.core.ranges import RangeSet
    from hub.light_clients.cometbft.types import CometHeader

LONGEST_PAUSE: Final = Duration(5 * SECOND)
"""Between two tries to read a block."""
_ACTIVE_BLOCKS: Final = 256
"""Blocks whose active clients are remembered."""

_log = structlog.get_logger()


class BlockFollower:
    """Follows one chain from its newest block on."""

    def __init__(self, node: CometNode, clock: Clock) -> None:
        """A follower that reads nothing before ``run``."""
        self.latest = 0
        """The newest header whose preceding block is processed; 0 before the first."""
        self.latest_time = Timestamp(0)
        """That header's time (ns)."""
        self._node = node
        self._clock = clock
        self._history = History(node, clock)
        self._outcomes = Outcomes(node, clock, self._proven)
        self._active: dict[int, frozenset[ClientId]] = {}
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Every block in its order, until it is cancelled; failures of the chain are retried."""
        tries = 0
        try:
            while True:
                try:
                    await self._advance()
                    tries = 0
                except HubError as error:
                    tries += 1
                    if not isinstance(error, Unavailable):
                        self._node.doubt()
                    _log.warning(
                        "block_not_read",
                        chain_id=self._node.chain_id,
                        header=self.latest,
                        reason=error.reason,
                        detail=str(error),
                    )
                    pause = delay(tries, CHANCES - 1, longest=LONGEST_PAUSE)
                    await self._clock.sleep(pause)
        finally:
            await self._history.stop()

    async def head(self, after: Height | None) -> Head:
        """The newest header, as soon as it is above *after*; at once where *after* is None."""
        number = after.number if after else 0
        while self.latest <= number:
            await self._moved.wait()
        height = Height(revision_of(self._node.chain_id), self.latest)
        # The header at n shows what the blocks before it did.
        blocks = range(number, self.latest)
        if len(blocks) > _ACTIVE_BLOCKS or any(block not in self._active for block in blocks):
            return Head(height, None)
        return Head(height, frozenset().union(*[self._active[block] for block in blocks]))

    async def packets(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* packets of *wanted* that stand committed under the header *at*.

        Those whose block is still searched for are left out; *client* is active again when they are
        found. Raises ``ChainUnreachable``, or ``HeaderNotFound`` where every node is behind.
        """
        return await self._history.items(client, Side.SOURCE, wanted, limit, at.number)

    async def acknowledgements(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* acknowledgements of *wanted* that stand written under the header *at*.

        As ``packets``.
        """
        return await self._history.items(client, Side.DESTINATION, wanted, limit, at.number)

    def leave_out(self, client: ClientId, side: Side, sequence: int, error: HubError) -> None:
        """The content of *sequence* cannot be used: it is missing until the chain is asked anew."""
        self._history.leave_out(client, side, sequence, error)

    def doubt(self, client: ClientId) -> None:
        """What stands for *client* is not believed any more; the chain is asked again."""
        self._history.forget(client)

    def disbelieve(self) -> None:
        """What blocks did is not believed any more: it is read again, of another node if any."""
        self._history.forget_contents()
        self._node.doubt()

    async def outcome(self, tx_hash: bytes, timeout_height: int) -> TxResult:
        """What the chain made of a transaction, once the header after its block shows it.

        Raises ``TransactionLost`` when the block *timeout_height* is processed without it.
        """
        return await self._outcomes.outcome(tx_hash, timeout_height)

    async def _advance(self) -> None:
        """Every block is processed that can be now; there was at least one."""
        newest = await self._node.above(self.latest)
        if not self.latest:
            self._begin(await self._node.header_fields(newest))
        while self.latest < newest:
            try:
                await self._process(self.latest)
            except HeaderNotFound:
                if not await self._skip_pruned():
                    raise
            except LimitExceeded as error:
                await self._pass_over(error)

    async def _process(self, number: int) -> None:
        results, following = await asyncio.gather(
            self._node.results(number), self._node.header_fields(number + 1)
        )
        self._check(results, following)
        facts = read_facts(results)
        await self._outcomes.see(results)
        self._active[number] = self._history.see(facts)
        self._active.pop(number - _ACTIVE_BLOCKS, None)
        self._move(following)

    async def _proven(self, number: int) -> BlockResults:
        """The results of a block that was processed before."""
        results = await self._node.results(number)
        self._check(results, await self._node.header_fields(number + 1))
        return results

    def _check(self, results: BlockResults, following: CometHeader) -> None:
        if results.results_hash != following.last_results_hash:
            raise RecordCorrupt(
                what=f"results of block {results.height} of {self._node.chain_id}",
                stored=results.results_hash.hex(),
                computed=following.last_results_hash.hex(),
            )

    async def _skip_pruned(self) -> bool:
        """Whether the next block is gone at every node, and what is kept is gone on with."""
        earliest = await self._node.lowest()
        if earliest <= self.latest:
            return False
        _log.error("blocks_pruned", chain_id=self._node.chain_id, first=self.latest, end=earliest)
        header = await self._node.header_fields(earliest)
        self._history.forget()
        self._begin(header)
        return True

    async def _pass_over(self, error: LimitExceeded) -> None:
        """The next block is too large to be read at every node, and it is gone on without it."""
        header = await self._node.header_fields(self.latest + 1)
        _log.warning(
            "block_passed_over",
            chain_id=self._node.chain_id,
            block=self.latest,
            reason=error.reason,
            detail=str(error),
        )
        self._history.forget()
        self._begin(header)

    def _begin(self, header: CometHeader) -> None:
        """What happened before the block of *header* is not followed."""
        self._outcomes.start(header.height - 1)
        self._history.start(header.height - 1)
        self._active.clear()
        self._move(header)

    def _move(self, header: CometHeader) -> None:
        self.latest, self.latest_time = header.height, header.time
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
