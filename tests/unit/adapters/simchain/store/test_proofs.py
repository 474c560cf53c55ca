from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simchain.store.iavl import IavlStore
from adapters.simchain.store.proofs import (
    NotProvable,
    prove_absence,
    prove_batch,
    prove_existence,
)
from hub.light_clients.proofs.ics23 import existence_root, non_existence_root
from hub.light_clients.proofs.spec import IAVL_SPEC

CONTENTS = st.dictionaries(
    st.binary(min_size=1, max_size=3), st.binary(min_size=1, max_size=3), min_size=1, max_size=60
)


def committed(contents: dict[bytes, bytes], *, versions: int = 3) -> IavlStore:
    """A store that wrote *contents* over some versions, so that nodes differ in theirs."""
    store = IavlStore()
    items = list(contents.items())
    for start in range(versions):
        for key, value in items[start::versions]:
            store.set(key, value)
        store.commit()
    return store


@settings(max_examples=100, deadline=None)
@given(contents=CONTENTS)
def test_each_present_key_is_proven_present_under_the_root(contents: dict[bytes, bytes]) -> None:
    store = committed(contents)
    tree = store.tree(3)
    for key, value in contents.items():
        proof = prove_existence(tree, key)
        assert existence_root(IAVL_SPEC, proof, key, value) == store.root(3)


@settings(max_examples=100, deadline=None)
@given(contents=CONTENTS, absent=st.lists(st.binary(min_size=1, max_size=4), max_size=20))
def test_each_absent_key_is_proven_absent_under_the_root(
    contents: dict[bytes, bytes], absent: list[bytes]
) -> None:
    store = committed(contents)
    outermost = [min(contents) + b"\x00", max(contents) + b"\x00", b"\xff" * 4, b"\x00"]
    for key in [*absent, *outermost]:
        if key not in contents:
            proof = prove_absence(store.tree(3), key)
            assert non_existence_root(IAVL_SPEC, proof, key) == store.root(3)


def test_present_key_cannot_be_proven_absent_and_an_absent_one_not_present() -> None:
    tree = committed({b"a": b"1", b"c": b"2"}).tree(3)
    with pytest.raises(NotProvable):
        prove_absence(tree, b"a")
    with pytest.raises(NotProvable):
        prove_existence(tree, b"b")


def test_empty_tree_proves_nothing() -> None:
    with pytest.raises(NotProvable):
        prove_absence(None, b"a")
    with pytest.raises(NotProvable):
        prove_existence(None, b"a")
    with pytest.raises(NotProvable):
        prove_batch(None, [b"a"])


@pytest.mark.parametrize("keys", [[b"b"], [b"a", b"b"], [b"c", b"a"], [b"a", b"a"], [b"c", b"c"]])
def test_batch_of_absent_or_falling_keys_is_refused(keys: list[bytes]) -> None:
    with pytest.raises(NotProvable):
        prove_batch(committed({b"a": b"1", b"c": b"2", b"e": b"3"}).tree(3), keys)
