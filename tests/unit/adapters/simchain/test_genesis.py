from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.simchain import bank
from adapters.simchain.bank import Balance
from adapters.simchain.genesis import STORES, genesis_hash, write_genesis
from adapters.simchain.state import State
from adapters.simchain.store.stores import Stores
from hub.core.errors import FieldInvalid
from hub.core.ids import ChainId, PortId
from tests.harness.simchain import config_of

CONFIG = config_of("hangzhou")


def test_genesis_gives_every_account_its_tokens() -> None:
    state = State(Stores(STORES))
    write_genesis(state, CONFIG)
    assert bank.balance(state, "alice", "hangzhoucoin") == 1_000_000
    assert bank.supply(state, "hangzhoucoin") == 1_500_000


def test_no_store_is_empty_after_genesis() -> None:
    state = State(Stores(STORES))
    write_genesis(state, replace(CONFIG, balances=()))
    state.commit()
    assert all(len(state.stores[name]) for name in STORES)


@pytest.mark.parametrize(
    "wrong",
    [
        Balance(account="escrow:transfer/07-tendermint-0", denomination="coin", amount=1),
        Balance(account="alice", denomination="transfer/07-tendermint-0/coin", amount=1),
        Balance(account="alice", denomination="", amount=1),
        Balance(account="alice", denomination="coin", amount=0),
    ],
)
def test_balance_that_no_chain_begins_with_is_refused(wrong: Balance) -> None:
    with pytest.raises(FieldInvalid):
        write_genesis(State(Stores(STORES)), replace(CONFIG, balances=(wrong,)))


def test_everything_that_decides_what_the_chain_does_is_in_its_genesis_hash() -> None:
    changed = [
        replace(CONFIG, chain_id=ChainId("suzhou-1")),
        replace(CONFIG, seed=b"other"),
        replace(CONFIG, balances=CONFIG.balances[:1]),
        replace(CONFIG, balances=(replace(CONFIG.balances[0], amount=2), CONFIG.balances[1])),
        replace(CONFIG, ports=(PortId("transfer"), PortId("bulk"))),
        replace(CONFIG, validator_count=5),
        replace(CONFIG, validator_turn=9),
    ]
    hashes = {genesis_hash(config) for config in [CONFIG, *changed]}
    assert len(hashes) == len(changed) + 1


def test_what_is_only_kept_or_queued_is_not_in_the_genesis_hash() -> None:
    assert genesis_hash(replace(CONFIG, keep=9, max_pending=1)) == genesis_hash(CONFIG)
