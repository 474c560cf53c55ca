"""Which client was created for which opening, as the chain itself remembers it.

The transaction that creates a client carries the opening's name as its memo. A client's first
consensus state tells the block in which it was created, so the memo is found again after any
restart, without a file of the adapter's own and without the node's transaction index.

Names of openings can be guessed, and anybody may create a client with any memo: a transaction
counts only where the adapter's own keys signed it, and its client only where it begins at the
operator's anchor.

Source: ibc-go v10 modules/light-clients/07-tendermint/store.go (processedHeight).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from adapters.cosmos import queries
from adapters.cosmos.client_messages import client_state_any, consensus_state_any
from adapters.cosmos.tx.answers import created_client
from adapters.cosmos.tx.transaction import is_creation_by, read_memo
from hub.core.errors import HeaderNotFound, HubError, LimitExceeded, RecordCorrupt
from hub.core.paths import client_state_key, consensus_state_key
from hub.light_clients.cometbft.client_state import decode_client_state, encode_client_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.rpc.node import CometNode
    from adapters.cosmos.tx.keys import Key
    from hub.core.client import Anchor, ConsensusState
    from hub.core.ids import ClientId

_PROCESSED = b"/processedHeight"
_MAX_DIGITS = 19

_log = structlog.get_logger()


class CreatedFor:
    """The openings of clients, each looked up until it is found."""

    def __init__(self, node: CometNode, keys: Sequence[Key]) -> None:
        """Openings as *node*'s chain shows them, of clients that *keys* created."""
        self._node = node
        self._keys = tuple(keys)
        self._known: dict[ClientId, str] = {}

    async def opening(self, client: ClientId) -> str:
        """The memo with which *client* was created by the adapter's own keys; empty for others'.

        Empty too where the transaction is not kept any more.

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
        except LimitExceeded as error:
            # One block too large to be read must not stand in the way of every opening.
            _log.warning("creation_not_read", client=client, block=number, detail=str(error))
            return ""

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
                is_own = is_creation_by(transaction, self._keys)
                return read_memo(transaction) if is_own else ""
        return ""


async def begins_at(
    node: CometNode, client: ClientId, anchor: Anchor, state: ConsensusState
) -> bool:
    """Whether *client* is as one that begins at *anchor*, and holds *state* at its height.

    It may have been updated since, or frozen. Raises as ``client_state_any``.
    """
    wanted, begun = client_state_any(anchor), consensus_state_any(state)
    keys = [client_state_key(client), consensus_state_key(client, anchor.height)]
    stored, held = await queries.stored_all(node, keys)
    try:
        found = decode_client_state(stored)
    except HubError:
        return False
    if found.latest_height is None or found.latest_height < anchor.height:
        return False
    # Chain id, trust options, periods and, by the way they are read, the proof specs.
    at_first = replace(found, latest_height=anchor.height, is_frozen=False)
    return encode_client_state(at_first) == wanted and held == begun


def _created(data: bytes) -> ClientId | None:
    """The client that the first message of a transaction created, if it did."""
    try:
        return created_client(data, 0)
    except HubError:
        return None
