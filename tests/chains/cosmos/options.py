"""How a test chain is made: its validators, accounts, limits, and what its nodes keep."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

STAKE: Final = "stake"
"""The denomination that validators are weighed by; nobody mints it here, nor any other."""
POWER: Final = 1_000_000
"""Of ``STAKE``, for one unit of a validator's voting power (the SDK's default power reduction)."""
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainOptions:
    """A chain and its nodes; the defaults of the SDK and CometBFT where nothing else is said."""

    powers: tuple[int, ...] = (100,)
    """The voting power of each validator at the start; one node for each."""
    balances: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What each account (by address) has at the start, by denomination."""

    block_ms: int = 1_000
    """What a validator waits after a commit (``timeout_commit``)."""
    max_block_gas: int = -1
    """-1 for no bound."""
    max_block_bytes: int = 22_020_096
    unbonding_s: int = 21 * DAY_S
    evidence_blocks: int = 100_000
    evidence_s: int = 2 * DAY_S
    signed_window_blocks: int = 10_000
    """A validator that misses half of so many blocks is jailed."""

    keeps_states: int = 0
    """So many states are kept by a node (pruning every 10 blocks); 0 keeps all."""
    keeps_blocks: int = 0
    """So many blocks are kept by a node; 0 keeps all."""
    is_indexing: bool = False
    """Transactions can be found by their hash and events. Nothing of ours needs that."""
    mempool_transactions: int = 5_000
    is_rechecking: bool = True
    """What is left in the mempool is checked again after each block."""
    log_level: str = "error"
