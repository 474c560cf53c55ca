"""A batch says no more and no less than the ordinary proofs that it expands to."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.simchain.store.iavl import IavlStore
from adapters.simchain.store.proofs import prove_absence, prove_batch, prove_existence
from hub.core.errors import HubError
from hub.light_clients.proofs.batch import verify_batch
from hub.light_clients.proofs.batch_codec import encode_batch
from hub.light_clients.proofs.expand import expand_batch
from hub.light_clients.proofs.ics23 import verify_membership, verify_non_membership
from tests.harness.iavl import World, join, leaf, plant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.harness.iavl import Node

PREFIX = (b"ibc", b"")
STORES = ["ibc", "acc", "bank", "zone", "mint"]

keys = st.sets(st.binary(min_size=1, max_size=4), min_size=1, max_size=40)
seeds = st.integers(0, 2**32)


def _world(names: set[bytes], seed: int) -> World:
    rng = Random(seed)
    newest = 10 ** rng.randint(0, 12)
    items = {name: rng.randbytes(rng.randint(1, 9)) for name in names}
    return World(
        {
            store: plant(items, rng, newest=newest, skewed=rng.random() < 0.5)
            if store == "ibc"
            else plant({b"k": b"v"})
            for store in STORES[: rng.randint(1, len(STORES))]
        }
    )


def _chosen(world: World, seed: int) -> list[tuple[bytes, bytes]]:
    items = world.items("ibc")
    rng = Random(seed)
    return sorted(rng.sample(items, rng.randint(1, len(items))))


def _batch_accepts(root: bytes, leaves: Sequence[tuple[bytes, bytes]], batch: bytes) -> bool:
    try:
        verify_batch(root, PREFIX, leaves, batch)
    except HubError:
        return False
    return True


def _proofs_accept(root: bytes, leaves: Sequence[tuple[bytes, bytes]], batch: bytes) -> bool:
    try:
        for (name, text), proof in zip(leaves, expand_batch(PREFIX, leaves, batch), strict=True):
            verify_membership(root, PREFIX, name, text, proof)
    except HubError:
        return False
    return True


@given(keys, seeds)
def test_batch_of_a_genuine_tree_is_accepted_and_expands_to_its_proofs(
    names: set[bytes], seed: int
) -> None:
    world = _world(names, seed)
    leaves = _chosen(world, seed)
    batch = world.batch("ibc", [name for name, _ in leaves])
    verify_batch(world.root, PREFIX, leaves, batch)
    expanded = expand_batch(PREFIX, leaves, batch)
    assert list(expanded) == [world.membership("ibc", name) for name, _ in leaves]
    for (name, text), proof in zip(leaves, expanded, strict=True):
        verify_membership(world.root, PREFIX, name, text, proof)


@given(keys, seeds, st.binary(min_size=1, max_size=4))
def test_key_is_included_or_excluded_never_both(names: set[bytes], seed: int, asked: bytes) -> None:
    world = _world(names, seed)
    if asked in names:
        text = dict(world.items("ibc"))[asked]
        proof = world.membership("ibc", asked)
        verify_membership(world.root, PREFIX, asked, text, proof)
    else:
        verify_non_membership(world.root, PREFIX, asked, world.non_membership("ibc", asked))


def _odd(names: Sequence[bytes], rng: Random) -> Node:
    """A tree that no chain would make: heights, versions and sizes as they come."""
    if len(names) == 1:
        return leaf(names[0], b"v", rng.choice([0, 1, 2**31, 2**61, 2**62]))
    cut = rng.randint(1, len(names) - 1)
    left, right = _odd(names[:cut], rng), _odd(names[cut:], rng)
    true = 1 + max(left.height, right.height)
    height = rng.choice([true] * 12 + [true + 1, max(true - 1, 1), 1, 126, 127, 128])
    return join(left, right, rng.choice([1] * 6 + [2**20, 2**61]), height)


@settings(max_examples=300)
@given(st.sets(st.binary(min_size=1, max_size=3), min_size=1, max_size=12), seeds)
def test_batch_of_an_odd_tree_is_accepted_only_if_every_expanded_proof_is(
    names: set[bytes], seed: int
) -> None:
    """The batch is the stricter: in an odd tree a height may reach its layer and yet not rise."""
    world = World({"ibc": _odd(sorted(names), Random(seed)), "acc": plant({b"k": b"v"})})
    leaves = _chosen(world, seed)
    batch = world.batch("ibc", [name for name, _ in leaves])
    if _batch_accepts(world.root, leaves, batch):
        assert _proofs_accept(world.root, leaves, batch)


@settings(max_examples=300)
@given(keys, seeds, st.data())
def test_changed_batch_is_refused_and_so_is_one_of_its_proofs(
    names: set[bytes], seed: int, data: st.DataObject
) -> None:
    world = _world(names, seed)
    leaves = _chosen(world, seed)
    batch = bytearray(world.batch("ibc", [name for name, _ in leaves]))
    for _ in range(data.draw(st.integers(1, 3))):
        batch[data.draw(st.integers(0, len(batch) - 1))] ^= data.draw(st.integers(1, 255))
    genuine = world.batch("ibc", [name for name, _ in leaves])
    if bytes(batch) != genuine:
        assert not _batch_accepts(world.root, leaves, bytes(batch))
        assert not _proofs_accept(world.root, leaves, bytes(batch))


@given(keys, seeds)
def test_both_builders_make_the_same_proofs(names: set[bytes], seed: int) -> None:
    """simchain's own store, grown key by key, against the ordinary verifier."""
    rng = Random(seed)
    store = IavlStore()
    order = sorted(names)
    rng.shuffle(order)
    for name in order:
        store.set(name, b"v" + name)
        if rng.random() < 0.3:
            store.commit()
    root = store.commit()
    tree = store.tree(store.version)
    chosen = sorted(rng.sample(order, rng.randint(1, len(order))))
    leaves = [(name, b"v" + name) for name in chosen]
    world = World({"ibc": _copied(tree)})
    assert world.stores["ibc"].digest == root
    assert encode_batch((), prove_batch(tree, chosen)) == world.batch("ibc", chosen)
    assert _batch_accepts(world.root, leaves, world.batch("ibc", chosen))
    assert prove_existence(tree, chosen[0]) == world.existence("ibc", chosen[0])
    absent = chosen[0] + b"\x00\x01"
    if absent not in names:
        assert prove_absence(tree, absent) == world.absence("ibc", absent)


def _copied(node: object) -> Node:
    """simchain's tree, node for node, in the harness's own records."""
    if hasattr(node, "left"):
        assert hasattr(node, "right")
        assert hasattr(node, "version")
        return join(_copied(node.left), _copied(node.right), node.version)
    assert hasattr(node, "key")
    assert hasattr(node, "value")
    assert hasattr(node, "version")
    return leaf(node.key, node.value, node.version)
