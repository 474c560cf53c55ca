"""Transactions by how far they came: settings, signed, sent, refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from fractions import Fraction

    from adapters.cosmos.rpc.records import TxResult
    from adapters.cosmos.tx.codes import Kind
    from adapters.cosmos.tx.signer import Signer
    from hub.core.errors import HubError


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How transactions are paid for, and how large they may be."""

    denomination: str
    """Of the fee; empty where the chain asks for none."""
    gas_price: Fraction
    """Units of the denomination for one unit of gas."""
    max_bytes: int
    """Of one transaction; under the mempool's own limit."""
    max_gas: int
    """Of one transaction; under the block's own limit."""
    timeout_blocks: int
    """Blocks after which a transaction that is in none is lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A transaction that the chain took."""

    hash: bytes
    signer: Signer
    gas_limit: int
    outcome: asyncio.Task[TxResult]
    """What it did, proven by the next header; raises ``TransactionLost``."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A transaction that the chain did not take."""

    kind: Kind
    error: HubError
    is_judged: bool = True
    """The chain judged what the transaction asks for; else it was never looked at, as where the
    mempool stayed full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A transaction that was not broadcast yet."""

    transaction: bytes
    hash: bytes
    kinds: tuple[str, ...]
    gas_limit: int
    timeout_height: int
