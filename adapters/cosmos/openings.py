"""Which client was created for which opening, as the chain itself remembers it.

The transaction that creates a client carries the opening's name as its memo. A client's first
consensus state tells the block in which it was created, so the memo is found again after any
restart, without a file of the adapter's own and without the node's transaction index.

Source: ibc-go v10 modules/light-clients/07-tendermint/store.go (processedHeight).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.cosmos import queries
from adapters.cosmos.tx.answers import created_client
from adapters.cosmos.tx.transaction import read_memo
from hub.core.errors import HeaderNotFound, HubError, RecordCorrupt
from hub.core.paths import consensus_state_key

if TYPE_CHECKING:
    from adapters.cosmos.rpc.node import CometNode
    from hub.core.ids import ClientId

_PROCESSED = b"/processedHeight"
_MAX_DIGITS = 19


class CreatedFor:
    """The openings of clients, each looked up until it is found."""

    def __init__(self, node: CometNode) -> None:
        """Openings as *node*'s chain shows them."""
        self._node = node
        self._known: dict[ClientId, str] = {}

    async def opening(self, client: ClientId) -> str:
        """The memo of the transaction that created *client*; empty where it is not kept any more.

        Raises ``ChainUnreachable`` or ``RecordCorrupt``.
        """
        known = self._known.get(client)
        if known is None:
            known = await self._find(client)
            if known is not None:
                self._known[client] = known
        return known or ""

    def remember(self, client: ClientId, opening: str) -> None:
        """*client* was just created for *opening*."""
        self._known[client] = opening

    async def _find(self, client: ClientId) -> str | None:
        """The memo; None while the node does not tell, but may later."""
        heights = await queries.trusted_heights(self._node, client)
        if not heights:
            return None
        key = consensus_state_key(client, heights[0]) + _PROCESSED
        stored = (await queries.stored(self._node, key)).decode("ascii", "replace")
        number = stored.rpartition("-")[2]
        if not number.isdecimal() or len(number) > _MAX_DIGITS:
            return None
        try:
            return await self._memo(client, int(number))
        except HeaderNotFound:
            # Gone for good, or not there yet at a node that is behind.
            is_pruned = int(number) < (await self._node.status()).earliest
            return "" if is_pruned else None

    async def _memo(self, client: ClientId, number: int) -> str:
        results = await self._node.results(number)
        transactions = await self._node.transactions(number)
        if len(results.transactions) != len(transactions):
            raise RecordCorrupt(
                what=f"transactions of block {number}",
                stored=str(len(results.transactions)),
                computed=str(len(transactions)),
            )
        for transaction, result in zip(transactions, results.transactions, strict=True):
            if not result.code and _created(result.data) == client:
                return read_memo(transaction)
        return ""


def _created(data: bytes) -> ClientId | None:
    """The client that the first message of a transaction created, if it did."""
    try:
        return created_client(data, 0)
    except HubError:
        return None
