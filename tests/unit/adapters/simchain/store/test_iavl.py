from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from adapters.simchain.store.iavl import EMPTY_ROOT, IavlStore, StoreError
from adapters.simchain.store.node import Inner, Leaf, node_hash

if TYPE_CHECKING:
    from adapters.simchain.store.node import Node

KEYS = st.binary(min_size=1, max_size=2)
VALUES = st.binary(min_size=1, max_size=3)


def check_shape(node: Node | None) -> None:
    """Every inner node is measured, balanced and named by the smallest key on its right."""
    if not isinstance(node, Inner):
        return
    assert node.height == 1 + max(node.left.height, node.right.height)
    assert node.size == node.left.size + node.right.size
    assert abs(node.left.height - node.right.height) <= 1
    smallest: Node = node.right
    while isinstance(smallest, Inner):
        smallest = smallest.left
    assert node.key == smallest.key
    check_shape(node.left)
    check_shape(node.right)


class StoreAgainstDict(RuleBasedStateMachine):
    """The store says what a dict says, now and in every version it keeps."""

    KEEP = 4

    def __init__(self) -> None:
        super().__init__()
        self.store = IavlStore(keep=self.KEEP)
        self.now: dict[bytes, bytes] = {}
        self.kept: dict[int, tuple[bytes, dict[bytes, bytes]]] = {}

    @rule(key=KEYS, value=VALUES)
    def set(self, key: bytes, value: bytes) -> None:
        self.store.set(key, value)
        self.now[key] = value

    @rule(key=KEYS)
    def remove_perhaps(self, key: bytes) -> None:
        assert self.store.remove(key) == (self.now.pop(key, None) is not None)

    @precondition(lambda self: self.now)
    @rule(pick=st.integers(0, 1000))
    def remove(self, pick: int) -> None:
        key = sorted(self.now)[pick % len(self.now)]
        assert self.store.remove(key)
        del self.now[key]

    @rule(items=st.dictionaries(KEYS, VALUES, max_size=40))
    def load(self, items: dict[bytes, bytes]) -> None:
        if not self.now:
            self.store.load(sorted(items.items()))
            self.now = dict(items)

    @rule()
    def commit(self) -> None:
        root = self.store.commit()
        self.kept[self.store.version] = (root, dict(self.now))
        self.kept = dict(list(self.kept.items())[-self.KEEP :])

    @rule()
    def discard(self) -> None:
        self.store.discard()
        self.now = dict(self.kept[self.store.version][1]) if self.kept else {}

    @invariant()
    def same_contents(self) -> None:
        assert list(self.store.items()) == sorted(self.now.items())
        assert len(self.store) == len(self.now)
        assert all(self.store.get(key) == value for key, value in self.now.items())

    @invariant()
    def kept_versions_stand(self) -> None:
        for version, (root, contents) in self.kept.items():
            assert self.store.root(version) == root
            tree = self.store.tree(version)
            check_shape(tree)
            assert leaves(tree) == sorted(contents.items())
            assert recomputed(tree) == root


def leaves(node: Node | None) -> list[tuple[bytes, bytes]]:
    if node is None:
        return []
    if isinstance(node, Leaf):
        return [(node.key, node.value)]
    return leaves(node.left) + leaves(node.right)


def recomputed(node: Node | None) -> bytes:
    """The root from fresh nodes, so that a stale hash in *node* shows."""

    def fresh(node: Node) -> Node:
        if isinstance(node, Leaf):
            return Leaf(node.key, node.value, node.version)
        return Inner(node.key, fresh(node.left), fresh(node.right), node.version)

    return EMPTY_ROOT if node is None else node_hash(fresh(node))


TestStoreAgainstDict = StoreAgainstDict.TestCase
TestStoreAgainstDict.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True
)


@pytest.mark.parametrize("seed", range(4))
def test_thousand_changes_leave_what_a_dict_holds_in_a_balanced_tree(seed: int) -> None:
    random = Random(seed)
    store, now = IavlStore(keep=2), dict[bytes, bytes]()
    for step in range(1000):
        key = random.randrange(200).to_bytes(1, "big")
        if random.randrange(5) < 2 + step // 500:
            assert store.remove(key) == (now.pop(key, None) is not None)
        else:
            now[key] = bytes((random.randrange(1, 256),))
            store.set(key, now[key])
        check_shape(store._root)
        if step % 20 == 0:
            assert store.commit() == recomputed(store.tree(store.version))
    assert list(store.items()) == sorted(now.items())


def test_empty_store_has_the_root_of_nothing() -> None:
    store = IavlStore()
    assert store.commit() == EMPTY_ROOT == sha256(b"").digest()


@pytest.mark.parametrize(("key", "value"), [(b"", b"v"), (b"k", b"")])
def test_empty_key_or_value_is_refused(key: bytes, value: bytes) -> None:
    with pytest.raises(StoreError):
        IavlStore().set(key, value)


@pytest.mark.parametrize(
    "items",
    [
        [(b"b", b"1"), (b"a", b"2")],
        [(b"a", b"1"), (b"a", b"2")],
        [(b"", b"1")],
        [(b"a", b"")],
    ],
)
def test_load_refuses_what_does_not_rise_or_is_empty(items: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(StoreError):
        IavlStore().load(items)


def test_only_an_empty_store_can_be_loaded() -> None:
    store = IavlStore()
    store.set(b"a", b"1")
    with pytest.raises(StoreError):
        store.load([(b"b", b"2")])


@pytest.mark.parametrize("count", [1, 2, 3, 5, 17, 33, 1000, 1025])
def test_loaded_tree_is_balanced(count: int) -> None:
    store = IavlStore()
    store.load((number.to_bytes(2, "big"), b"v") for number in range(count))
    store.commit()
    check_shape(store.tree(1))
    assert len(store) == count


def test_items_of_a_prefix_are_exactly_those_that_begin_with_it() -> None:
    store = IavlStore()
    for key in (b"a", b"b", b"ba", b"bb\xff", b"bc", b"c"):
        store.set(key, b"v")
    assert [key for key, _ in store.items(b"b")] == [b"b", b"ba", b"bb\xff", b"bc"]
    assert [key for key, _ in store.items(b"bb")] == [b"bb\xff"]
    assert list(store.items(b"d")) == []


def test_version_beyond_the_keep_is_gone() -> None:
    store = IavlStore(keep=2)
    for _ in range(3):
        store.commit()
    with pytest.raises(StoreError):
        store.root(1)
    assert store.root(2) == store.root(3)


def test_version_in_the_making_is_not_kept_yet() -> None:
    with pytest.raises(StoreError):
        IavlStore().tree(1)


def test_versions_share_the_nodes_that_did_not_change() -> None:
    store = IavlStore()
    store.load((bytes((number,)), b"v") for number in range(16))
    store.commit()
    store.set(bytes((15,)), b"w")
    store.commit()
    before, after = store.tree(1), store.tree(2)
    assert isinstance(before, Inner)
    assert isinstance(after, Inner)
    assert before.left is after.left
    assert before.right is not after.right


def test_a_tree_of_greater_keys_is_shared_by_what_is_loaded_beside_it() -> None:
    base = IavlStore()
    base.load((bytes((2, number)), b"v") for number in range(9))
    base.commit()
    beside = base.tree(1)
    store = IavlStore()
    store.load([(bytes((1, number)), b"w") for number in range(5)], beside=beside)
    store.commit()
    assert [key for key, _ in store.items()] == sorted(
        [bytes((1, number)) for number in range(5)] + [bytes((2, number)) for number in range(9)]
    )
    top = store.tree(1)
    assert isinstance(top, Inner)
    assert top.right is beside
    alone = IavlStore()
    alone.load([], beside=beside)
    assert alone.commit() == base.root(1)


def test_keys_beside_must_be_greater() -> None:
    base = IavlStore()
    base.load([(b"b", b"v")])
    base.commit()
    with pytest.raises(StoreError):
        IavlStore().load([(b"b", b"w")], beside=base.tree(1))
