from __future__ import annotations

import pytest

from adapters.simchain import client_store as store
from adapters.simchain.state import State
from adapters.simchain.store.stores import Stores
from hub.core.client import ConsensusState
from hub.core.errors import ClientNotFound, ConsensusStateMissing
from hub.core.height import Height
from hub.core.ids import ClientId
from hub.core.time import SECOND, Timestamp
from tests.harness.anchors import make_anchor

CLIENT = ClientId("07-tendermint-0")


@pytest.fixture
def state() -> State:
    return State(Stores(("ibc",)))


def consensus(number: int) -> ConsensusState:
    return ConsensusState(
        height=Height(1, number),
        header_hash=b"h" * 31 + bytes((number % 256,)),
        time=Timestamp(number * SECOND),
        root=b"r" * 32,
        next_validators_hash=b"n" * 32,
    )


def test_ids_count_up(state: State) -> None:
    ids = [store.new_client_id(state, "07-tendermint") for _ in range(3)]
    assert ids == ["07-tendermint-0", "07-tendermint-1", "07-tendermint-2"]
    assert store.client_ids(state, "07-tendermint") == ids


def test_consensus_state_is_kept_with_its_header_hash(state: State) -> None:
    store.add_consensus_state(state, CLIENT, consensus(5))
    assert store.consensus_state(state, CLIENT, Height(1, 5)) == consensus(5)


def test_height_of_another_revision_is_not_known(state: State) -> None:
    store.add_consensus_state(state, CLIENT, consensus(5))
    with pytest.raises(ConsensusStateMissing):
        store.consensus_state(state, CLIENT, Height(2, 5))


def test_heights_are_kept_rising_in_whatever_order_they_come(state: State) -> None:
    for number in (5, 9, 7, 300):
        store.add_consensus_state(state, CLIENT, consensus(number))
    assert store.heights(state, CLIENT) == [5, 7, 9, 300]


@pytest.mark.parametrize(
    ("number", "expected"),
    [(4, {5}), (5, {5, 7}), (6, {5, 7}), (7, {5, 7, 9}), (9, {7, 9}), (10, {9})],
)
def test_neighbours_of_a_height_are_among_those_around(
    state: State, number: int, expected: set[int]
) -> None:
    for kept in (5, 7, 9):
        store.add_consensus_state(state, CLIENT, consensus(kept))
    found = {one.height.number for one in store.around(state, CLIENT, Height(1, number))}
    assert expected <= found


def test_oldest_consensus_state_goes_when_there_are_too_many(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MAX_TRUSTED_HEIGHTS", 3)
    for number in (5, 6, 7, 8):
        store.add_consensus_state(state, CLIENT, consensus(number))
    assert store.heights(state, CLIENT) == [6, 7, 8]
    assert store.find_consensus_state(state, CLIENT, Height(1, 5)) is None
    state.commit()
    assert not [key for key, _ in state.stores["ibc"].items() if b"1-5" in key]


def test_client_that_is_not_there_is_not_found(state: State) -> None:
    with pytest.raises(ClientNotFound):
        store.client_state(state, CLIENT)
    with pytest.raises(ClientNotFound):
        store.anchor(state, CLIENT)
    assert store.counterparty(state, CLIENT) is None


def test_anchor_opening_and_order_are_kept(state: State) -> None:
    assert not store.is_ordered(state, CLIENT)
    assert store.opened(state, "first") is None
    store.put_anchor(state, CLIENT, make_anchor())
    store.put_opening(state, CLIENT, "first")
    store.put_ordered(state, CLIENT)
    assert store.anchor(state, CLIENT) == make_anchor()
    assert store.opened(state, "first") == CLIENT
    assert store.opening(state, CLIENT) == "first"
    assert store.is_ordered(state, CLIENT)
