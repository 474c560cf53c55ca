"""How a chain begins: its configuration, and the state before its first block."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from adapters.simchain import bank
from adapters.simchain.execution import STORE as ACCOUNTS
from adapters.simchain.transfer_data import check_account, check_denomination
from adapters.simchain.validators import Schedule
from hub.core.codec.proto import bytes_field, message_field, varint_field
from hub.core.errors import FieldInvalid
from hub.core.ids import PortId

if TYPE_CHECKING:
    from adapters.simchain.bank import Balance
    from adapters.simchain.state import State
    from hub.core.ids import ChainId

STORES: Final = ("acc", "bank", "ibc", "staking")
_GENESIS_KEY: Final = b"\xffgenesis"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainConfig:
    """All that a chain is made from, but for its blocks' times and transactions."""

    chain_id: ChainId
    seed: bytes
    """Its validators' keys, and what varies in its headers, follow from it."""
    balances: tuple[Balance, ...]
    """The chain's own tokens, and who holds them at the beginning."""
    ports: tuple[PortId, ...] = (PortId("transfer"),)
    """Each has a transfer application of its own behind it."""
    validator_count: int = 4
    validator_turn: int = 50
    """Blocks from one change of the validator set to the next; 0 means it never changes."""
    keep: int = 512
    """Versions of the state that can be proven."""
    max_pending: int = 10_000
    """Transactions that may wait for a block."""

    @property
    def schedule(self) -> Schedule:
        """Who validates when."""
        return Schedule(self.seed, self.validator_count, self.validator_turn)


def genesis_hash(config: ChainConfig) -> bytes:
    """What the first header carries as ``app_hash``: all that decides what the chain does."""
    parts = (
        bytes_field(1, config.chain_id.encode()),
        bytes_field(2, config.seed),
        varint_field(3, config.validator_count),
        varint_field(4, config.validator_turn),
        *[
            message_field(
                5,
                bytes_field(1, one.account.encode())
                + bytes_field(2, one.denomination.encode())
                + bytes_field(3, str(one.amount).encode()),
            )
            for one in config.balances
        ],
        *[message_field(6, port.encode()) for port in config.ports],
    )
    return sha256(b"".join(parts)).digest()


def write_genesis(state: State, config: ChainConfig) -> None:
    """*state* is what the first block builds on; no store of it is empty.

    An empty store could not prove that anything is absent. Raises ``FieldInvalid``.
    """
    for one in config.balances:
        check_account(one.account, "account")
        check_denomination(one.denomination)
        if "/" in one.denomination:
            raise FieldInvalid(field="denomination", problem="of the chain's own has a slash")
        if one.amount <= 0:
            raise FieldInvalid(field="amount", problem="is not positive")
        bank.mint(state, one.account, one.denomination, one.amount)
        state.set(ACCOUNTS, one.account.encode(), bytes(8))
    for store in STORES:
        state.set(store, _GENESIS_KEY, genesis_hash(config))
    state.set("staking", b"validators", config.schedule.at(1).content)
