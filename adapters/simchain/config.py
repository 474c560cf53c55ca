"""What an embedded chain is told at its start: one TOML file, typed, unknown keys refused.

A city is one process, or one for its chain and one for its adapter; each then has a file and a
directory of its own, and all that the chain is made from stands in both. Relative paths are
relative to the file's own directory.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from adapters.sdk.config import Tls, check_between, read
from adapters.simchain.bank import Balance
from adapters.simchain.genesis import ChainConfig
from hub.core.client import Fraction, TrustOptions
from hub.core.errors import FieldInvalid
from hub.core.ids import parse_chain_id, parse_peer_id, parse_port_id
from hub.core.time import MILLISECOND, Duration
from hub.wire.duration import parse_duration

if TYPE_CHECKING:
    import os

    from hub.core.ids import PeerId

MAX_VALIDATORS = 100
MAX_AMOUNT = 2**63 - 1
"""Whole units of one genesis balance, so that every total fits the ledger's answer."""


class Role(StrEnum):
    """What of a city a process is."""

    WHOLE = "whole"
    CHAIN = "chain"
    """It makes the blocks and serves users; the adapter is another process."""
    ADAPTER = "adapter"
    """A full node that follows the chain's own process, and attaches to a relayer."""


class Trust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far others are advised to believe this chain's validators."""

    trust_level: str = "1/3"
    trusting_period: str = "336h"
    max_clock_drift: str = "10s"


class GenesisBalance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account holds at the beginning."""

    account: str
    denomination: str
    amount: int


class SimchainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An embedded chain's configuration."""

    role: Role = Role.WHOLE
    """``whole``, ``chain`` or ``adapter``."""
    peer: str
    """The peer at the hub, as in the certificate ``/peers/{peer}``."""
    chain_id: str
    seed: str
    """Validators' keys follow from it: whoever knows it can sign for the chain."""
    directory: str
    """Of the block log and the log of accepted answers; one process uses it."""
    listen: str
    """Where the chain's own users dial (SimchainService), host:port."""
    relayers: list[str] = []
    """host:port of each relayer, in the order in which they are tried."""
    chain_address: str = ""
    """host:port where the chain's own process listens; the adapter's alone is told."""
    trust_domain: str
    """Of the SPIFFE identities that it believes."""
    tls: Tls
    counterparties: dict[str, str] = {}
    """By peer: this operator's own anchor file of that chain."""
    balances: list[GenesisBalance] = []
    trust: Trust = Trust()
    block_interval_ms: int = 1000
    validator_count: int = 4
    validator_turn: int = 50
    """Blocks from one change of the validator set to the next; 0 means it never changes."""
    versions_kept: int = 512
    """Versions of the state that can be proven."""
    ports: list[str] = msgspec.field(default_factory=lambda: ["transfer"])
    """Each has a transfer application of its own behind it."""
    execution_credits: int = 16
    """Executions of the relayer that may run at once, and so stand in one block; 64 at most.

    A block of them all, 256 packets each, is made well within the three seconds of a session's
    silence.
    """
    trace_endpoint: str = ""
    """Where OpenTelemetry traces go, as http://127.0.0.1:4317; empty keeps none."""
    log_format: str = "json"
    """``json``, or ``console`` for people."""

    def __post_init__(self) -> None:
        """Checks what types do not say. Raises ``ValueError``, told with the key's path."""
        check_between("block_interval_ms", self.block_interval_ms, 10, 60_000)
        check_between("validator_count", self.validator_count, 1, MAX_VALIDATORS)
        check_between("validator_turn", self.validator_turn, 0, 1_000_000)
        check_between("versions_kept", self.versions_kept, 16, 100_000)
        check_between("execution_credits", self.execution_credits, 1, 1024)
        _check_role(self)
        if self.log_format not in {"json", "console"}:
            raise ValueError("`log_format` is neither json nor console")
        for one in self.balances:
            check_between("amount", one.amount, 1, MAX_AMOUNT)

    @property
    def peer_id(self) -> PeerId:
        """The peer. Raises ``IdentifierInvalid``."""
        return parse_peer_id(self.peer)

    @property
    def block_interval(self) -> Duration:
        """From one block to the next (ns)."""
        return Duration(self.block_interval_ms * MILLISECOND)

    @property
    def chain(self) -> ChainConfig:
        """What the chain is made from. Raises ``IdentifierInvalid``."""
        return ChainConfig(
            chain_id=parse_chain_id(self.chain_id),
            seed=self.seed.encode(),
            balances=tuple(
                [
                    Balance(account=one.account, denomination=one.denomination, amount=one.amount)
                    for one in self.balances
                ]
            ),
            ports=tuple([parse_port_id(port) for port in self.ports]),
            validator_count=self.validator_count,
            validator_turn=self.validator_turn,
            keep=self.versions_kept,
        )

    @property
    def trust_options(self) -> TrustOptions:
        """How far others are advised to believe. Raises ``FieldInvalid`` or ``AnchorInvalid``."""
        numerator, _, denominator = self.trust.trust_level.partition("/")
        if not numerator.isdecimal() or not denominator.isdecimal():
            raise FieldInvalid(field="trust.trust_level", problem="is not {number}/{number}")
        return TrustOptions(
            trust_level=Fraction(int(numerator), int(denominator)),
            trusting_period=parse_duration(self.trust.trusting_period, "trust.trusting_period"),
            max_clock_drift=parse_duration(self.trust.max_clock_drift, "trust.max_clock_drift"),
        )


_NOT_OF: Final = {
    Role.WHOLE: ("chain_address",),
    Role.CHAIN: (
        "chain_address",
        "counterparties",
        "execution_credits",
        "relayers",
        "trace_endpoint",
    ),
    Role.ADAPTER: ("block_interval_ms",),
}
"""Keys that say nothing to a process of that role."""


def _check_role(config: SimchainConfig) -> None:
    """The keys fit the role. Raises ``ValueError``."""
    usual = {
        field.encode_name: field.default_factory()
        if field.default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT
        else field.default
        for field in msgspec.structs.fields(SimchainConfig)
    }
    for key in _NOT_OF[config.role]:
        if getattr(config, key) != usual[key]:
            raise ValueError(f"`{key}` is nothing that a process of the role {config.role} needs")
    if config.role is not Role.CHAIN and not config.relayers:
        raise ValueError("`relayers` names no address")
    if config.role is Role.ADAPTER and not config.chain_address:
        raise ValueError("`chain_address` is needed where the role is adapter")


def load(path: str | os.PathLike[str]) -> SimchainConfig:
    """The configuration in the file, its paths made whole.

    Raises ``FieldInvalid`` naming the file and the key, or ``IdentifierInvalid``.
    """
    config = read(path, SimchainConfig)
    base = Path(path).parent
    return msgspec.structs.replace(
        config,
        directory=str(base / config.directory),
        tls=config.tls.within(base),
        counterparties={peer: str(base / name) for peer, name in config.counterparties.items()},
    )
