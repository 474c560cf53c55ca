"""The chain's blocks as they come, and what they did: for the session, and for who submitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.time import Timestamp

if TYPE_CHECKING:
    from adapters.cosmos.rpc.node import CometNode
    from adapters.cosmos.rpc.records import TxResult
    from adapters.sdk.chain import Head, Item
    from adapters.sdk.clock import Clock
    from hub.core.height import Height
    from hub.core.ids import ClientId
    from hub.core.ranges import RangeSet


class BlockFollower:
    """Follows one chain from its newest block on."""

    def __init__(self, node: CometNode, clock: Clock) -> None:
        """A follower that reads nothing before ``run``."""
        self._node = node
        self._clock = clock
        self.latest = 0
        """The newest header whose preceding block is processed; 0 before the first."""
        self.latest_time = Timestamp(0)
        """That header's time (ns)."""

    async def run(self) -> None:
        """Every block in its order, until it is cancelled; failures of the chain are retried."""
        raise NotImplementedError

    async def head(self, after: Height | None) -> Head:
        """The newest header, as soon as it is above *after*; at once where *after* is None."""
        raise NotImplementedError

    async def packets(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* packets of *wanted* that stand committed under the header *at*."""
        raise NotImplementedError

    async def acknowledgements(
        self, client: ClientId, wanted: RangeSet, limit: int, at: Height
    ) -> tuple[Item, ...]:
        """The first *limit* acknowledgements of *wanted* that stand under the header *at*."""
        raise NotImplementedError

    def doubt(self, client: ClientId) -> None:
        """What stands for *client* is not believed any more; the chain is asked again."""
        raise NotImplementedError

    async def outcome(self, tx_hash: bytes, timeout_height: int) -> TxResult:
        """What the chain made of a transaction, once the header after its block shows it.

        Raises ``TransactionLost`` when the block *timeout_height* is processed without it.
        """
        raise NotImplementedError
