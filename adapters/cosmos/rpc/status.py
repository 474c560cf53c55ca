"""Where a node stands, and what that says of a block that it does not show.

Source: CometBFT 0.38 rpc/core/status.go, rpc/core/env.go (getHeight).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.cosmos.rpc.answers import STATUS
from adapters.cosmos.rpc.endpoint import Refusal
from adapters.cosmos.rpc.records import NodeStatus
from hub.core.errors import ChainIdMismatch, HeaderNotFound

if TYPE_CHECKING:
    from adapters.cosmos.rpc.endpoint import Endpoint
    from hub.core.errors import HubError
    from hub.core.ids import ChainId

_MAX_CHAIN_ID = 80
"""Characters of another chain's id that an error shows."""


async def read_status(node: Endpoint, chain_id: ChainId) -> NodeStatus:
    """Where *node* stands. Raises ``ChainIdMismatch`` or ``ChainUnreachable``."""
    answer = await node.call(STATUS, {})
    if isinstance(answer, Refusal):
        raise node.unreachable(answer.text)
    network, sync = answer.node_info.network, answer.sync_info
    if network != chain_id:
        raise ChainIdMismatch(got=network[:_MAX_CHAIN_ID], expected=chain_id)
    return NodeStatus(
        chain_id=network,
        latest=sync.latest_block_height,
        earliest=sync.earliest_block_height,
        is_catching_up=sync.catching_up,
    )


async def lacking(node: Endpoint, chain_id: ChainId, number: int, refusal: Refusal) -> HubError:
    """Why *node* refused to show something of block *number*: ``HeaderNotFound`` if it has none.

    Raises as ``read_status``.
    """
    status = await read_status(node, chain_id)
    if status.earliest <= number <= status.latest:
        return node.unreachable(refusal.text)
    return HeaderNotFound(client=chain_id, height=number)
