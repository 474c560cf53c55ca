"""What has gone wrong in the field, and the rules that no published spec states."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from hub.core.errors import (
    NonMembershipNotProven,
    ProofSpecViolated,
)
from hub.light_clients.proofs.ics23 import (
    calculate_root,
    existence_root,
    non_existence_root,
    split_prefix,
    verify_membership,
)
from hub.light_clients.proofs.spec import (
    IAVL_SPEC,
    SMT_SPEC,
    TENDERMINT_SPEC,
    ExistenceProof,
    InnerOp,
    NonExistenceProof,
)
from tests.harness.iavl import LEAF_OP, World, join, leaf, measured, plant
from tests.harness.proof_samples import (
    MIDDLE,
    PREFIX,
    ROOT,
    STORE,
    WORLD,
    chained,
    key,
    upper,
    value,
)
from tests.harness.proof_tampering import (
    ABSENCE,
    HEAD,
    LEFT_AT,
    LOW,
    RIGHT_AT,
    SIBLING,
    head,
    inner,
)

# The incidents of the field ----------------------------------------------------------------------


def test_dragonberry_key_hidden_in_a_leaf_prefix_is_refused() -> None:
    """A leaf's own bytes, cut elsewhere: part of the key is called prefix, the rest the key.

    Source: Dragonberry, 2022-10; cosmos/ics23 validateIavlOps.
    """
    hidden = b"forged"
    real = b"k" + measured(hidden)
    world = World({STORE: plant({real: b"v", b"z": b"v"})})
    genuine = world.existence(STORE, real)
    assert genuine.leaf
    cut = replace(
        genuine,
        key=hidden,
        leaf=replace(genuine.leaf, prefix=genuine.leaf.prefix + bytes([len(real)]) + b"k"),
    )
    assert calculate_root(cut) == calculate_root(genuine), "the bytes are the same"
    with pytest.raises(ProofSpecViolated):
        verify_membership(
            world.root, (b"ibc", b""), hidden, b"v", chained(cut, world.store_proof(STORE))
        )


def test_dragonberry_value_that_is_an_inner_node_is_refused() -> None:
    """An inner operation whose prefix or suffix holds what is really another node's bytes."""
    node = head(3, 4, 1) + b"\x20" + bytes(32)
    for change in (
        inner(LEFT_AT, suffix=SIBLING + node[:33]),
        inner(LEFT_AT, prefix=HEAD + SIBLING + SIBLING + b"\x20"),
        inner(LEFT_AT, prefix=HEAD + b"\x20\x00"),
    ):
        with pytest.raises(ProofSpecViolated):
            verify_membership(
                ROOT, PREFIX, key(MIDDLE), value(MIDDLE), chained(*change((LOW, upper())))
            )


def test_leaf_is_no_inner_node_and_inner_node_no_leaf() -> None:
    """Second preimage: the bytes of an inner node presented as the bytes of a leaf."""
    left, right = leaf(b"a", b"1"), leaf(b"b", b"2")
    node = join(left, right)
    forged = ExistenceProof(
        left.digest[1:] + b"\x20",
        right.digest,
        replace(LEAF_OP, prefix=node.head + b"\x20" + left.digest[:1], prehash_value=0, length=0),
        (),
    )
    assert calculate_root(forged) == node.digest, "the bytes are the same"
    with pytest.raises(ProofSpecViolated):
        existence_root(IAVL_SPEC, forged, forged.key, forged.value)


def test_bnb_bridge_node_with_both_siblings_is_refused() -> None:
    """Left and right both set: the forged one was then left out of the hash.

    Source: BNB bridge, 2022-10; cosmos/iavl #579, GHSA-gf4j-mf57-3762.
    """
    both = replace(LOW.path[RIGHT_AT], suffix=b"\x20" + sha256(b"forged").digest())
    path = (*LOW.path[:RIGHT_AT], both, *LOW.path[RIGHT_AT + 1 :])
    with pytest.raises(ProofSpecViolated):
        existence_root(IAVL_SPEC, replace(LOW, path=path), LOW.key, LOW.value)


def test_depth_is_bounded_though_no_spec_says_so() -> None:
    """A max_depth of 0 is 128, never unlimited. Source: cardano-ibc CIB-016."""
    deep = replace(upper(), path=(InnerOp(1, b"\x01", bytes(32)),) * 128)
    assert existence_root(TENDERMINT_SPEC, deep, deep.key, deep.value)
    deeper = replace(deep, path=(*deep.path, deep.path[0]))
    with pytest.raises(ProofSpecViolated):
        existence_root(TENDERMINT_SPEC, deeper, deep.key, deep.value)


def test_layer_rises_with_every_node() -> None:
    """Height is held against each node's own layer. Source: cardano-ibc CIB-016."""
    nodes = [InnerOp(1, head(height) + b"\x20", SIBLING) for height in (1, 2, 3, 3)]
    good = replace(LOW, path=tuple(nodes[:3]))
    assert existence_root(IAVL_SPEC, good, LOW.key, LOW.value)
    with pytest.raises(ProofSpecViolated) as caught:
        existence_root(IAVL_SPEC, replace(LOW, path=tuple(nodes)), LOW.key, LOW.value)
    assert caught.value.at == 4


def test_iavl_path_cannot_be_deeper_than_the_highest_height() -> None:
    nodes = tuple(InnerOp(1, head(min(at, 127)) + b"\x20", SIBLING) for at in range(1, 129))
    assert existence_root(IAVL_SPEC, replace(LOW, path=nodes[:127]), LOW.key, LOW.value)
    with pytest.raises(ProofSpecViolated):
        existence_root(IAVL_SPEC, replace(LOW, path=nodes), LOW.key, LOW.value)


@pytest.mark.parametrize(
    "spec",
    [
        replace(IAVL_SPEC, max_depth=1000),
        replace(IAVL_SPEC, name="mine"),
        replace(IAVL_SPEC, leaf=replace(IAVL_SPEC.leaf, prefix=b"")),
        replace(TENDERMINT_SPEC, inner=replace(TENDERMINT_SPEC.inner, max_prefix=40)),
        replace(SMT_SPEC, prehash_compare_key=False),
    ],
)
def test_custom_spec_is_refused(spec: object) -> None:
    with pytest.raises(ProofSpecViolated):
        existence_root(spec, LOW, LOW.key, LOW.value)  # type: ignore[arg-type]
    with pytest.raises(ProofSpecViolated):
        non_existence_root(spec, ABSENCE, ABSENCE.key)  # type: ignore[arg-type]


def test_equal_copy_of_a_pinned_spec_is_the_pinned_spec() -> None:
    assert existence_root(replace(IAVL_SPEC), LOW, LOW.key, LOW.value) == WORLD.stores[STORE].digest


# Sparse trees: leaves lie in the order of their hashed keys -------------------------------------


def _sparse(text: bytes, *path: InnerOp) -> ExistenceProof:
    return ExistenceProof(text, b"v", SMT_SPEC.leaf, path)


def test_sparse_tree_compares_hashed_keys() -> None:
    by_hash = sorted([b"a", b"b", b"c"], key=lambda text: sha256(text).digest())
    low, absent, high = by_hash
    left_root = calculate_root(_sparse(low))
    right_root = calculate_root(_sparse(high))
    left = _sparse(low, InnerOp(1, b"\x01", right_root))
    right = _sparse(high, InnerOp(1, b"\x01" + left_root, b""))
    proof = NonExistenceProof(absent, left, right)
    assert non_existence_root(SMT_SPEC, proof, absent) == calculate_root(left)
    with pytest.raises(NonMembershipNotProven):
        non_existence_root(SMT_SPEC, replace(proof, left=right, right=left), absent)


def test_empty_sibling_of_a_sparse_tree_holds_no_leaf() -> None:
    by_hash = sorted([b"a", b"b"], key=lambda text: sha256(text).digest())
    empty = InnerOp(1, b"\x01", bytes(32))
    taken = InnerOp(1, b"\x01", b"\x01" * 32)
    alone = _sparse(by_hash[0], empty)
    proof = NonExistenceProof(by_hash[1], alone, None)
    assert non_existence_root(SMT_SPEC, proof, by_hash[1]) == calculate_root(alone)
    with pytest.raises(NonMembershipNotProven):
        non_existence_root(SMT_SPEC, replace(proof, left=_sparse(by_hash[0], taken)), by_hash[1])
    other = NonExistenceProof(
        by_hash[0], None, _sparse(by_hash[1], InnerOp(1, b"\x01" + bytes(32), b""))
    )
    assert non_existence_root(SMT_SPEC, other, by_hash[0])


def test_zeros_beside_an_iavl_leaf_are_a_sibling_like_any_other() -> None:
    alone = replace(LOW, path=(InnerOp(1, head(1) + b"\x20", SIBLING),))
    with pytest.raises(NonMembershipNotProven):
        non_existence_root(IAVL_SPEC, NonExistenceProof(b"p/z", alone, None), b"p/z")


def test_key_goes_behind_the_key_prefix() -> None:
    assert split_prefix((b"ibc", b"p/"), b"k") == (b"ibc", b"p/k")
