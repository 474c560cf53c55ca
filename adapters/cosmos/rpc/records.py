"""What a CometBFT node says, as the rest of the adapter reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_LOG: Final = 300
"""Characters kept of a text that only people read."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """Where one node stands."""

    chain_id: str
    latest: int
    """The newest block that the node stores; its effects may not be applied yet."""
    earliest: int
    """The first block that the node still stores."""
    is_catching_up: bool


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a transaction or a block did."""

    kind: str
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TxResult:
    """What a block made of one transaction."""

    code: int
    """0 is success."""
    codespace: str
    data: bytes
    gas_wanted: int
    gas_used: int
    events: tuple[Event, ...]
    """Those of the wanted kinds."""
    log: str
    """For people only."""


@dataclass(frozen=True, slots=True)
class BlockResults:
    """What one block did."""

    height: int
    transactions: tuple[TxResult, ...]
    events: tuple[Event, ...]
    """Those of the wanted kinds that no transaction caused."""
    results_hash: bytes
    """To be compared with ``last_results_hash`` of the next header."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the mempool of a node made of a transaction."""

    code: int
    """0: it waits for a block, unless it is dropped."""
    codespace: str
    """``REFUSED_BY_NODE`` where no application judged: a full mempool, or a transaction that it
    holds or held already."""
    log: str
    """For people only."""
    hash: bytes


REFUSED_BY_NODE: Final = "jsonrpc"


@dataclass(frozen=True, slots=True)
class Proven:
    """What stands at a key of one store, and the two proofs that lead to the app hash."""

    value: bytes
    """Empty where nothing stands there."""
    store_proof: bytes
    """``ics23.CommitmentProof`` within the store."""
    map_proof: bytes
    """``ics23.CommitmentProof`` of the store's root."""
