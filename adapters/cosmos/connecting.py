"""The nodes that a configuration names, as one typed surface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.cosmos.rpc.node import CometNode
from adapters.cosmos.rpc.transport import Rpc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.config import CosmosConfig
    from adapters.sdk.clock import Clock


def connect(config: CosmosConfig, urls: Sequence[str], clock: Clock) -> CometNode:
    """The chain of *config* as its nodes at *urls* serve it; nothing is dialled yet.

    Raises ``FieldInvalid`` or ``IdentifierInvalid``.
    """
    rpc = Rpc(config.chain, urls, clock, timeout_ms=config.node_timeout_ms)
    return CometNode(config.chain, rpc, clock)
