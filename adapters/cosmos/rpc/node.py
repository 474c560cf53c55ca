"""One Cosmos chain as its CometBFT nodes serve it: every answer checked, every failure typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.cosmos.rpc.records import (
    REFUSED_BY_NODE,
    BlockResults,
    Checked,
    Event,
    NodeStatus,
    Proven,
    TxResult,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.rpc.transport import Rpc
    from adapters.sdk.clock import Clock
    from hub.core.client import Header
    from hub.core.ids import ChainId
    from hub.light_clients.cometbft.types import CometHeader

__all__ = [
    "REFUSED_BY_NODE",
    "WANTED_EVENTS",
    "BlockResults",
    "Checked",
    "CometNode",
    "Event",
    "NodeStatus",
    "Proven",
    "TxResult",
]

WANTED_EVENTS: Final = frozenset(
    (
        "acknowledge_packet",
        "create_client",
        "send_packet",
        "timeout_packet",
        "write_acknowledgement",
    )
)


class CometNode:
    """The typed surface of a chain's nodes."""

    def __init__(self, chain_id: ChainId, rpc: Rpc, clock: Clock) -> None:
        self.chain_id = chain_id
        self._rpc = rpc
        self._clock = clock

    async def status(self) -> NodeStatus:
        """Where the node stands. Raises ``ChainIdMismatch`` or ``ChainUnreachable``."""
        raise NotImplementedError

    async def above(self, number: int) -> int:
        """The newest height, as soon as it is above *number*. Raises ``ChainUnreachable``."""
        raise NotImplementedError

    async def headers(self, numbers: Sequence[int]) -> tuple[Header, ...]:
        """The headers of these block numbers, in this order. Raises ``HeaderNotFound``."""
        raise NotImplementedError

    async def header_fields(self, number: int) -> CometHeader:
        """The header of block *number*. Raises ``HeaderNotFound``."""
        raise NotImplementedError

    async def results(self, number: int, wanted: frozenset[str] = WANTED_EVENTS) -> BlockResults:
        """What block *number* did; events of the *wanted* kinds. Raises ``HeaderNotFound``."""
        raise NotImplementedError

    async def transactions(self, number: int) -> tuple[bytes, ...]:
        """The transactions of block *number*, that its header commits to."""
        raise NotImplementedError

    async def query(self, path: str, data: bytes, at: int = 0) -> bytes:
        """What the application answers under state *at*; 0 is the newest."""
        raise NotImplementedError

    async def query_all(self, path: str, datas: Sequence[bytes], at: int = 0) -> tuple[bytes, ...]:
        """As ``query``, for each of *datas*."""
        raise NotImplementedError

    async def prove(self, store: str, keys: Sequence[bytes], at: int) -> tuple[Proven, ...]:
        """What stands at each of *keys* of *store* in state *at*, with proof."""
        raise NotImplementedError

    async def broadcast(self, transactions: Sequence[bytes]) -> tuple[Checked, ...]:
        """What the mempool made of each of *transactions*, which reach it in this order."""
        raise NotImplementedError

    async def close(self) -> None:
        """Every connection is closed."""
        raise NotImplementedError
