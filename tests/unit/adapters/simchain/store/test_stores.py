from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simchain.store.iavl import StoreError
from adapters.simchain.store.proofs import NotProvable
from adapters.simchain.store.stores import Stores, map_entry, map_path
from hub.core import merkle
from hub.core.errors import MembershipNotProven, RootMismatch
from hub.light_clients.proofs.batch import verify_batch
from hub.light_clients.proofs.ics23 import verify_membership, verify_non_membership

PREFIX = (b"ibc", b"")
NAMES = ("acc", "bank", "ibc", "staking")


def key_of(number: int) -> bytes:
    return b"07-tendermint-0\x01" + number.to_bytes(8, "big")


@pytest.fixture(scope="module")
def stores() -> Stores:
    """Two versions: 1 holds sequences 1 to 600, in 2 sequence 5 is gone."""
    made = Stores(NAMES)
    for name in NAMES:
        made[name].set(b"first", name.encode())
    for number in range(1, 601):
        made["ibc"].set(key_of(number), b"commitment %d" % number)
    made.commit()
    made["ibc"].remove(key_of(5))
    made.commit()
    return made


def leaves_of(numbers: list[int]) -> list[tuple[bytes, bytes]]:
    return [(key_of(number), b"commitment %d" % number) for number in numbers]


def test_proof_of_a_key_is_accepted_at_its_version_only(stores: Stores) -> None:
    proof = stores.prove("ibc", key_of(5), 1)
    verify_membership(stores.root(1), PREFIX, key_of(5), b"commitment 5", proof)
    with pytest.raises(RootMismatch):
        verify_membership(stores.root(2), PREFIX, key_of(5), b"commitment 5", proof)
    with pytest.raises(MembershipNotProven):
        verify_membership(stores.root(1), PREFIX, key_of(6), b"commitment 6", proof)


def test_proof_of_absence_is_accepted(stores: Stores) -> None:
    for key in (key_of(5), key_of(0), key_of(601), b"\x00", b"\xff"):
        proof = stores.prove_absent("ibc", key, 2)
        verify_non_membership(stores.root(2), PREFIX, key, proof)


@pytest.mark.parametrize("name", NAMES)
def test_every_store_has_its_path(stores: Stores, name: str) -> None:
    proof = stores.prove(name, b"first", 2)
    prefix = (name.encode(), b"")
    verify_membership(stores.root(2), prefix, b"first", name.encode(), proof)
    batch = stores.prove_batch(name, [b"first"], 2)
    verify_batch(stores.root(2), prefix, [(b"first", name.encode())], batch)


@settings(max_examples=60, deadline=None)
@given(numbers=st.sets(st.integers(1, 600), min_size=1, max_size=256))
def test_batch_of_any_keys_is_accepted(stores: Stores, numbers: set[int]) -> None:
    leaves = leaves_of(sorted(numbers))
    batch = stores.prove_batch("ibc", [key for key, _ in leaves], 1)
    verify_batch(stores.root(1), PREFIX, leaves, batch)


def test_batch_of_the_largest_size_is_accepted(stores: Stores) -> None:
    leaves = leaves_of(list(range(300, 556)))
    batch = stores.prove_batch("ibc", [key for key, _ in leaves], 2)
    verify_batch(stores.root(2), PREFIX, leaves, batch)


def test_batch_of_another_version_is_refused(stores: Stores) -> None:
    leaves = leaves_of([7, 8])
    batch = stores.prove_batch("ibc", [key for key, _ in leaves], 1)
    with pytest.raises(RootMismatch):
        verify_batch(stores.root(2), PREFIX, leaves, batch)


def test_what_is_not_so_is_not_provable(stores: Stores) -> None:
    with pytest.raises(NotProvable):
        stores.prove("ibc", key_of(5), 2)
    with pytest.raises(NotProvable):
        stores.prove_absent("ibc", key_of(5), 1)
    with pytest.raises(StoreError):
        stores.prove("ibc", key_of(6), 3)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9])
def test_path_of_every_entry_leads_to_the_root_of_the_map(count: int) -> None:
    entries = [map_entry(b"store %d" % number, bytes((number,)) * 32) for number in range(count)]
    for index in range(count):
        at = merkle.leaf_hash(entries[index])
        for right, sibling in map_path(entries, index):
            at = merkle.inner_hash(sibling, at) if right else merkle.inner_hash(at, sibling)
        assert at == merkle.root(entries)
