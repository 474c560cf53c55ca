"""Accounts and what they hold. Tokens are only made and unmade where a caller says so.

In the store ``bank``: a balance stands at ``0x02 ‖ length of account ‖ account ‖ denomination``, a
supply at ``0x00 ‖ denomination``, both as decimal text; what is zero has no key.

Source: cosmos-sdk x/bank types/keys.go (BalancesPrefix, SupplyKey).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.simchain.state import State
    from adapters.simchain.store.iavl import IavlStore

STORE = "bank"
_SUPPLY = b"\x00"
_BALANCE = b"\x02"

MAX_AMOUNT = 2**256 - 1
"""Whole units. Source: cosmos-sdk math.Int."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account holds of a token, in whole units; for a supply the account is empty."""

    account: str
    denomination: str
    amount: int


def balance(state: State, account: str, denomination: str) -> int:
    """Whole units of *denomination* that *account* holds."""
    return int(state.get(STORE, _balance_key(account, denomination)) or 0)


def supply(state: State, denomination: str) -> int:
    """Whole units of *denomination* on this chain."""
    return int(state.get(STORE, _SUPPLY + denomination.encode()) or 0)


def move(state: State, source: str, target: str, denomination: str, amount: int) -> None:
    """*amount*, over 0, goes from one account to another. Raises ``FieldInvalid``."""
    _add(state, source, denomination, -amount)
    _add(state, target, denomination, amount)


def mint(state: State, account: str, denomination: str, amount: int) -> None:
    """*amount*, over 0, is made and given to *account*. Raises ``FieldInvalid``."""
    _put(state, _SUPPLY + denomination.encode(), supply(state, denomination) + amount)
    _add(state, account, denomination, amount)


def burn(state: State, account: str, denomination: str, amount: int) -> None:
    """*amount*, over 0, is taken from *account* and unmade. Raises ``FieldInvalid``."""
    _add(state, account, denomination, -amount)
    _put(state, _SUPPLY + denomination.encode(), supply(state, denomination) - amount)


def balances(store: IavlStore) -> Iterator[Balance]:
    """Every balance that stands in the bank's *store*, by account and denomination."""
    for key, value in store.items(_BALANCE):
        end = 2 + key[1]
        yield Balance(
            account=key[2:end].decode(), denomination=key[end:].decode(), amount=int(value)
        )


def supplies(store: IavlStore) -> Iterator[Balance]:
    """Every supply that stands in the bank's *store*, by denomination."""
    for key, value in store.items(_SUPPLY):
        yield Balance(account="", denomination=key[1:].decode(), amount=int(value))


def _add(state: State, account: str, denomination: str, amount: int) -> None:
    key = _balance_key(account, denomination)
    held = int(state.get(STORE, key) or 0)
    if held + amount < 0:
        problem = f"{-amount} of {denomination} is over the {held} that {account} holds"
        raise FieldInvalid(field="amount", problem=problem)
    _put(state, key, held + amount)


def _put(state: State, key: bytes, amount: int) -> None:
    if amount > MAX_AMOUNT:
        raise FieldInvalid(field="amount", problem="would make more than 2^256-1 units")
    if amount:
        state.set(STORE, key, b"%d" % amount)
    else:
        state.remove(STORE, key)


def _balance_key(account: str, denomination: str) -> bytes:
    name = account.encode()
    return _BALANCE + bytes((len(name),)) + name + denomination.encode()
