"""The configuration of a Cosmos chain's adapter: one TOML file, typed, unknown keys refused.

::

    peer = "shanghai"
    chain_id = "shanghai-1"
    nodes = ["http://127.0.0.1:26657"]     # the first one that answers is used
    relayers = ["127.0.0.1:7100"]
    directory = "state"
    [tls]
    cert_file = "adapter.pem"
    key_file = "adapter.key"
    ca_file = "ca.pem"
    [keys]
    file = "keys.txt"                       # made by: ydhub-cosmos keys new
    [transactions]
    gas_price = "0.025uatom"
    [counterparties]
    hangzhou = "hangzhou.yaml"              # this operator's own anchor of that chain

Relative paths are relative to the file's own directory.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from adapters.cosmos.tx.records import Settings
from adapters.sdk.config import Tls, check_between, read
from hub.core.ids import parse_chain_id, parse_peer_id

if TYPE_CHECKING:
    import os

    from hub.core.ids import ChainId, PeerId

_PRICE: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)([a-zA-Z][a-zA-Z0-9/:._-]{2,127})")
"""Source: cosmos-sdk types/coin.go, reDecCoin."""
_PREFIX: Final = re.compile(r"[a-z0-9]{1,83}")
_NODE: Final = re.compile(r"https?://[^\s/?#]+(/[^\s?#]*)?")


class Keys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The accounts that sign, and pay."""

    file: str
    """One key a line, hexadecimal; readable by its owner alone."""
    address_prefix: str = "cosmos"
    """Of the chain's Bech32 addresses."""


class Transactions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What transactions cost, and how large they may be."""

    gas_price: str = ""
    """Decimal number and denomination; empty where the chain asks for no fee."""
    max_bytes: int = 650_000
    """Of one transaction: in base64, under what a node's RPC takes in one call (1,000,000)."""
    max_gas: int = 60_000_000
    """Of one transaction: under the block's own limit."""
    timeout_blocks: int = 12
    """Blocks after which a transaction that stands in none is lost, and its packets go again."""


class CosmosConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configuration of one adapter."""

    peer: str
    """The peer at the hub, as in the certificate ``/peers/{peer}``."""
    chain_id: str
    nodes: list[str]
    """CometBFT RPC addresses (http or https), in the order in which they are tried."""
    relayers: list[str]
    """host:port of each relayer, in the order in which they are tried."""
    directory: str
    """Of the log of accepted answers; one process uses it."""
    tls: Tls
    keys: Keys
    transactions: Transactions = Transactions()
    counterparties: dict[str, str] = {}
    """By peer: this operator's own anchor file of that chain."""
    node_timeout_ms: int = 10_000
    """Longest wait for one answer of a node."""
    execution_credits: int = 16
    """Executions of the relayer that may run at once, and so stand in one block; 64 at most."""
    trace_endpoint: str = ""
    """Where OpenTelemetry traces go, as http://127.0.0.1:4317; empty keeps none."""
    log_format: str = "json"
    """``json``, or ``console`` for people."""

    def __post_init__(self) -> None:
        """Checks what types do not say. Raises ``ValueError``, told with the key's path."""
        check_between("execution_credits", self.execution_credits, 1, 1024)
        check_between("node_timeout_ms", self.node_timeout_ms, 100, 120_000)
        check_between("transactions.max_bytes", self.transactions.max_bytes, 10_000, 700_000)
        check_between("transactions.max_gas", self.transactions.max_gas, 100_000, 10**12)
        check_between("transactions.timeout_blocks", self.transactions.timeout_blocks, 2, 1000)
        if not self.relayers:
            raise ValueError("`relayers` names no address")
        if not self.nodes:
            raise ValueError("`nodes` names no address")
        for node in self.nodes:
            if not _NODE.fullmatch(node):
                raise ValueError(f"`nodes`: {node} is no http:// or https:// address")
        if not _PREFIX.fullmatch(self.keys.address_prefix):
            raise ValueError("`keys.address_prefix` is no Bech32 prefix")
        if self.log_format not in {"json", "console"}:
            raise ValueError("`log_format` is neither json nor console")
        if self.transactions.gas_price and not _PRICE.fullmatch(self.transactions.gas_price):
            raise ValueError("`transactions.gas_price` is not like 0.025uatom")

    @property
    def peer_id(self) -> PeerId:
        """The peer. Raises ``IdentifierInvalid``."""
        return parse_peer_id(self.peer)

    @property
    def chain(self) -> ChainId:
        """The chain. Raises ``IdentifierInvalid``."""
        return parse_chain_id(self.chain_id)

    @property
    def settings(self) -> Settings:
        """How transactions are made."""
        price = _PRICE.fullmatch(self.transactions.gas_price)
        return Settings(
            denomination=price[2] if price else "",
            gas_price=Fraction(price[1]) if price else Fraction(0),
            max_bytes=self.transactions.max_bytes,
            max_gas=self.transactions.max_gas,
            timeout_blocks=self.transactions.timeout_blocks,
        )


def load(path: str | os.PathLike[str]) -> CosmosConfig:
    """The configuration in the file, its paths made whole.

    Raises ``FieldInvalid`` naming the file and the key, or ``IdentifierInvalid``.
    """
    config = read(path, CosmosConfig)
    parse_peer_id(config.peer)
    parse_chain_id(config.chain_id)
    base = Path(path).parent
    return msgspec.structs.replace(
        config,
        directory=str(base / config.directory),
        tls=config.tls.within(base),
        keys=msgspec.structs.replace(config.keys, file=str(base / config.keys.file)),
        counterparties={peer: str(base / name) for peer, name in config.counterparties.items()},
    )
