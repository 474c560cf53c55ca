from __future__ import annotations

import pytest

from adapters.simchain import bank
from adapters.simchain.bank import MAX_AMOUNT, Balance
from adapters.simchain.state import State
from adapters.simchain.store.stores import Stores
from hub.core.errors import FieldInvalid


@pytest.fixture
def state() -> State:
    made = State(Stores(("bank",)))
    bank.mint(made, "alice", "coin", 100)
    return made


def test_minted_tokens_are_held_and_counted_in_the_supply(state: State) -> None:
    assert bank.balance(state, "alice", "coin") == bank.supply(state, "coin") == 100


def test_moved_tokens_change_hands_and_not_the_supply(state: State) -> None:
    bank.move(state, "alice", "bob", "coin", 30)
    assert bank.balance(state, "alice", "coin") == 70
    assert bank.balance(state, "bob", "coin") == 30
    assert bank.supply(state, "coin") == 100


def test_tokens_moved_to_oneself_stay(state: State) -> None:
    bank.move(state, "alice", "alice", "coin", 100)
    assert bank.balance(state, "alice", "coin") == 100


def test_burned_tokens_leave_the_supply(state: State) -> None:
    bank.burn(state, "alice", "coin", 100)
    assert bank.balance(state, "alice", "coin") == bank.supply(state, "coin") == 0


def test_nobody_spends_more_than_is_held(state: State) -> None:
    with pytest.raises(FieldInvalid):
        bank.move(state, "alice", "bob", "coin", 101)
    with pytest.raises(FieldInvalid):
        bank.burn(state, "bob", "coin", 1)


def test_amount_beyond_256_bits_is_refused(state: State) -> None:
    with pytest.raises(FieldInvalid):
        bank.mint(state, "bob", "coin", MAX_AMOUNT)


def test_every_balance_and_supply_is_listed_from_the_store(state: State) -> None:
    bank.mint(state, "bob", "transfer/07-tendermint-0/coin", 5)
    bank.move(state, "alice", "escrow:transfer/07-tendermint-1", "coin", 40)
    bank.mint(state, "carol", "coin", 1)
    bank.burn(state, "carol", "coin", 1)
    state.commit()
    store = state.stores["bank"]
    assert sorted((b.account, b.denomination, b.amount) for b in bank.balances(store)) == [
        ("alice", "coin", 60),
        ("bob", "transfer/07-tendermint-0/coin", 5),
        ("escrow:transfer/07-tendermint-1", "coin", 40),
    ]
    assert list(bank.supplies(store)) == [
        Balance(account="", denomination="coin", amount=100),
        Balance(account="", denomination="transfer/07-tendermint-0/coin", amount=5),
    ]
