from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from hub.core import merkle
from hub.core.errors import ProofUnparseable, RootMismatch

LEAVES = [b"leaf %d" % number for number in range(21)]
SIZE = 13
INDEX = 6
TREE = LEAVES[:SIZE]
ROOT = merkle.root(TREE)
PATH = merkle.inclusion_proof(TREE, INDEX)
OTHER = bytes(32)


def _slow_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    left, right = _slow_root(leaves[:split]), _slow_root(leaves[split:])
    return sha256(b"\x01" + left + right).digest()


def _slow_path(leaves: list[bytes], index: int) -> list[bytes]:
    """RFC 6962 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    if index < split:
        return [*_slow_path(leaves[:split], index), _slow_root(leaves[split:])]
    return [*_slow_path(leaves[split:], index - split), _slow_root(leaves[:split])]


def _slow_consistency(leaves: list[bytes], size: int, *, is_whole: bool = True) -> list[bytes]:
    """RFC 6962 2.1.2, SUBPROOF, word for word."""
    if size == len(leaves):
        return [] if is_whole else [_slow_root(leaves)]
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    if size <= split:
        below = _slow_consistency(leaves[:split], size, is_whole=is_whole)
        return [*below, _slow_root(leaves[split:])]
    below = _slow_consistency(leaves[split:], size - split, is_whole=False)
    return [*below, _slow_root(leaves[:split])]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.root([]).hex() == empty
    assert merkle.EMPTY_ROOT.hex() == empty


def test_an_empty_leaf_is_a_leaf() -> None:
    """Source: RFC 6962 test vectors of Certificate Transparency."""
    digest = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.leaf_hash(b"").hex() == digest
    assert merkle.root([b""]).hex() == digest


def test_a_leaf_is_no_inner_node() -> None:
    left, right = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    assert merkle.root([left + right]) != merkle.root([b"a", b"b"])
    assert merkle.inner_hash(left, right) != merkle.inner_hash(right, left)


@pytest.mark.parametrize("size", range(22))
def test_root_is_the_rfcs(size: int) -> None:
    assert merkle.root(LEAVES[:size]) == _slow_root(LEAVES[:size])


@pytest.mark.parametrize("size", range(1, 22))
def test_every_path_is_the_rfcs_and_verifies(size: int) -> None:
    tree = LEAVES[:size]
    root = merkle.root(tree)
    for index in range(size):
        proof = merkle.inclusion_proof(tree, index)
        assert list(proof) == _slow_path(tree, index)
        merkle.verify_inclusion(index, size, merkle.leaf_hash(tree[index]), proof, root)


@pytest.mark.parametrize("size2", range(1, 22))
def test_every_consistency_proof_is_the_rfcs_and_verifies(size2: int) -> None:
    tree = LEAVES[:size2]
    for size1 in range(1, size2 + 1):
        proof = merkle.consistency_proof(tree, size1)
        assert list(proof) == _slow_consistency(tree, size1)
        root1, root2 = merkle.root(tree[:size1]), merkle.root(tree)
        merkle.verify_consistency(size1, size2, proof, root1, root2)


def test_the_deepest_trees_verify() -> None:
    """Their paths have 63 nodes; nothing here grows with the size."""
    node, path = merkle.leaf_hash(b"last"), [OTHER] * 63
    index = merkle.MAX_SIZE - 1
    root = node
    for sibling in path[: index.bit_count()]:
        root = merkle.inner_hash(sibling, root)
    merkle.verify_inclusion(index, merkle.MAX_SIZE, node, path[: index.bit_count()], root)


@pytest.mark.parametrize("index", [-1, SIZE, SIZE + 1, 2**63])
def test_there_is_no_path_of_a_leaf_that_is_not_there(index: int) -> None:
    with pytest.raises(ProofUnparseable):
        merkle.inclusion_proof(TREE, index)


@pytest.mark.parametrize("size", [-1, 0, SIZE + 1])
def test_there_is_no_consistency_from_a_tree_that_is_not_there(size: int) -> None:
    with pytest.raises(ProofUnparseable):
        merkle.consistency_proof(TREE, size)


@pytest.mark.parametrize(
    ("index", "size"),
    [
        (-1, SIZE),
        (SIZE, SIZE),
        (INDEX + 2**63, SIZE),
        (INDEX, 0),
        (0, 0),
        (INDEX, -SIZE),
        (INDEX, INDEX),
        (INDEX, merkle.MAX_SIZE + 1),
        (INDEX, 2 * SIZE),
        (INDEX, SIZE // 2),
        (SIZE - 1, SIZE),
    ],
)
def test_a_place_that_the_proof_is_not_made_for_is_refused(index: int, size: int) -> None:
    with pytest.raises(ProofUnparseable):
        merkle.verify_inclusion(index, size, merkle.leaf_hash(TREE[INDEX]), PATH, ROOT)


@pytest.mark.parametrize("size", range(1, 18))
@pytest.mark.parametrize("nodes", range(7))
def test_the_leaf_after_the_last_is_no_place(size: int, nodes: int) -> None:
    with pytest.raises(ProofUnparseable):
        merkle.verify_inclusion(size, size, OTHER, (OTHER,) * nodes, ROOT)


@pytest.mark.parametrize("index", [i for i in range(SIZE) if i != INDEX])
def test_no_other_index_is_proven(index: int) -> None:
    with pytest.raises((ProofUnparseable, RootMismatch)):
        merkle.verify_inclusion(index, SIZE, merkle.leaf_hash(TREE[INDEX]), PATH, ROOT)


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param((), id="empty"),
        pytest.param(PATH[:-1], id="cut-at-the-top"),
        pytest.param(PATH[1:], id="cut-at-the-leaf"),
        pytest.param((*PATH, OTHER), id="surplus-at-the-top"),
        pytest.param((*PATH, ROOT), id="surplus-root"),
        pytest.param((OTHER, *PATH), id="surplus-at-the-leaf"),
        pytest.param((*PATH[:-1], PATH[-1][:-1]), id="short-node"),
        pytest.param((*PATH[:-1], PATH[-1] + b"\x00"), id="long-node"),
        pytest.param((*PATH[:-1], b""), id="empty-node"),
        pytest.param((PATH[0] + PATH[1], b"", *PATH[2:]), id="nodes-run-together"),
    ],
)
def test_an_inclusion_proof_of_another_shape_is_refused(proof: tuple[bytes, ...]) -> None:
    with pytest.raises(ProofUnparseable):
        merkle.verify_inclusion(INDEX, SIZE, merkle.leaf_hash(TREE[INDEX]), proof, ROOT)


@pytest.mark.parametrize("digest", [b"", ROOT[:-1], ROOT + b"\x00"])
def test_a_leaf_hash_of_another_length_is_refused(digest: bytes) -> None:
    with pytest.raises(ProofUnparseable):
        merkle.verify_inclusion(INDEX, SIZE, digest, PATH, ROOT)


@pytest.mark.parametrize("root", [b"", ROOT[:-1], ROOT + b"\x00", OTHER, merkle.EMPTY_ROOT])
def test_another_root_is_refused(root: bytes) -> None:
    with pytest.raises(RootMismatch) as caught:
        merkle.verify_inclusion(INDEX, SIZE, merkle.leaf_hash(TREE[INDEX]), PATH, root)
    assert caught.value.got == ROOT.hex()
    assert caught.value.expected == root.hex()


def test_an_inner_node_is_not_proven_as_a_leaf() -> None:
    node = merkle.root(TREE[4:6])
    assert merkle.inclusion_proof(TREE, 4)[1:] == merkle.inclusion_proof(TREE, 5)[1:]
    with pytest.raises(ProofUnparseable):
        merkle.verify_inclusion(4, SIZE, node, merkle.inclusion_proof(TREE, 4)[1:], ROOT)
    with pytest.raises(RootMismatch):
        merkle.verify_inclusion(4, SIZE, node, merkle.inclusion_proof(TREE, 4), ROOT)


@pytest.mark.parametrize("at", range(len(PATH)))
def test_every_node_of_an_inclusion_proof_counts(at: int) -> None:
    changed = (*PATH[:at], OTHER, *PATH[at + 1 :])
    with pytest.raises(RootMismatch):
        merkle.verify_inclusion(INDEX, SIZE, merkle.leaf_hash(TREE[INDEX]), changed, ROOT)


# Consistency.

SIZE1, SIZE2 = 6, 13
ROOT1, ROOT2 = merkle.root(LEAVES[:SIZE1]), merkle.root(LEAVES[:SIZE2])
STEPS = merkle.consistency_proof(LEAVES[:SIZE2], SIZE1)


@pytest.mark.parametrize(
    ("size1", "size2"),
    [
        (-1, SIZE2),
        (0, SIZE2),
        (SIZE2, SIZE1),
        (SIZE1, SIZE1),
        (SIZE2, SIZE2),
        (SIZE1, merkle.MAX_SIZE + 1),
        (8, SIZE2),
        (SIZE1, 2 * SIZE2),
        (2**63, 2**63),
    ],
)
def test_sizes_that_the_proof_is_not_made_for_are_refused(size1: int, size2: int) -> None:
    with pytest.raises(ProofUnparseable):
        merkle.verify_consistency(size1, size2, STEPS, ROOT1, ROOT2)


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param((), id="empty"),
        pytest.param(STEPS[:-1], id="cut-at-the-end"),
        pytest.param(STEPS[1:], id="cut-at-the-start"),
        pytest.param((*STEPS, OTHER), id="surplus-at-the-end"),
        pytest.param((OTHER, *STEPS), id="surplus-at-the-start"),
        pytest.param((*STEPS[:-1], STEPS[-1][:-1]), id="short-node"),
        pytest.param((b"", *STEPS[1:]), id="empty-node"),
    ],
)
def test_a_consistency_proof_of_another_shape_is_refused(proof: tuple[bytes, ...]) -> None:
    with pytest.raises(ProofUnparseable):
        merkle.verify_consistency(SIZE1, SIZE2, proof, ROOT1, ROOT2)


@pytest.mark.parametrize("at", range(len(STEPS)))
def test_every_node_of_a_consistency_proof_counts(at: int) -> None:
    changed = (*STEPS[:at], OTHER, *STEPS[at + 1 :])
    with pytest.raises(RootMismatch):
        merkle.verify_consistency(SIZE1, SIZE2, changed, ROOT1, ROOT2)


@pytest.mark.parametrize(
    ("root1", "root2"),
    [(ROOT2, ROOT1), (OTHER, ROOT2), (ROOT1, OTHER), (b"", ROOT2), (ROOT1, b""), (ROOT1, ROOT1)],
)
def test_other_roots_are_refused(root1: bytes, root2: bytes) -> None:
    with pytest.raises(RootMismatch):
        merkle.verify_consistency(SIZE1, SIZE2, STEPS, root1, root2)


def test_a_rewritten_leaf_is_found() -> None:
    rewritten = [b"rewritten", *LEAVES[1:SIZE2]]
    proof = merkle.consistency_proof(rewritten, SIZE1)
    with pytest.raises(RootMismatch):
        merkle.verify_consistency(SIZE1, SIZE2, proof, ROOT1, merkle.root(rewritten))


def test_a_tree_is_consistent_with_itself_by_the_empty_proof() -> None:
    merkle.verify_consistency(SIZE1, SIZE1, (), ROOT1, ROOT1)
    with pytest.raises(RootMismatch):
        merkle.verify_consistency(SIZE1, SIZE1, (), ROOT1, ROOT2)
    with pytest.raises(ProofUnparseable):
        merkle.verify_consistency(SIZE1, SIZE1, (ROOT1,), ROOT1, ROOT1)


def test_sizes_have_bounds_even_where_nothing_is_to_prove() -> None:
    assert merkle.MAX_SIZE == 2**63 - 1
    merkle.verify_consistency(merkle.MAX_SIZE, merkle.MAX_SIZE, (), ROOT1, ROOT1)
    for size in (merkle.MAX_SIZE + 1, -1):
        with pytest.raises(ProofUnparseable):
            merkle.verify_consistency(size, size, (), ROOT1, ROOT1)


def test_the_empty_tree_is_consistent_with_itself_alone() -> None:
    empty = merkle.EMPTY_ROOT
    merkle.verify_consistency(0, 0, (), empty, empty)
    for root1, root2 in ((ROOT1, empty), (empty, ROOT1)):
        with pytest.raises(RootMismatch):
            merkle.verify_consistency(0, 0, (), root1, root2)
    with pytest.raises(ProofUnparseable):
        merkle.verify_consistency(0, SIZE2, (), empty, ROOT2)


# CometBFT's form.

PROOF = merkle.Proof(total=SIZE, index=INDEX, leaf_hash=merkle.leaf_hash(TREE[INDEX]), aunts=PATH)


def test_a_proof_verifies_against_its_leaf() -> None:
    merkle.verify_proof(PROOF, TREE[INDEX], ROOT)


@pytest.mark.parametrize(
    "proof",
    [
        pytest.param(replace(PROOF, total=-1), id="negative-total"),
        pytest.param(replace(PROOF, index=-1), id="negative-index"),
        pytest.param(replace(PROOF, index=SIZE), id="index-is-the-total"),
        pytest.param(replace(PROOF, aunts=(*PATH, OTHER)), id="surplus-aunt"),
        pytest.param(replace(PROOF, aunts=PATH[:-1]), id="missing-aunt"),
        pytest.param(replace(PROOF, total=1, index=0), id="aunts-of-a-single-leaf"),
    ],
)
def test_a_proof_of_another_shape_is_refused(proof: merkle.Proof) -> None:
    with pytest.raises(ProofUnparseable):
        merkle.verify_proof(proof, TREE[INDEX], ROOT)


@pytest.mark.parametrize(
    ("proof", "leaf", "root"),
    [
        pytest.param(PROOF, TREE[INDEX + 1], ROOT, id="other-leaf"),
        pytest.param(PROOF, PROOF.leaf_hash, ROOT, id="the-leaf's-hash-as-leaf"),
        pytest.param(replace(PROOF, leaf_hash=OTHER), TREE[INDEX], ROOT, id="other-leaf-hash"),
        pytest.param(replace(PROOF, leaf_hash=b""), TREE[INDEX], ROOT, id="no-leaf-hash"),
        pytest.param(PROOF, TREE[INDEX], OTHER, id="other-root"),
        pytest.param(replace(PROOF, aunts=(OTHER, *PATH[1:])), TREE[INDEX], ROOT, id="other-aunt"),
        pytest.param(replace(PROOF, index=INDEX - 1), TREE[INDEX], ROOT, id="other-index"),
    ],
)
def test_a_proof_of_something_else_is_refused(
    proof: merkle.Proof, leaf: bytes, root: bytes
) -> None:
    with pytest.raises(RootMismatch):
        merkle.verify_proof(proof, leaf, root)


def test_a_root_does_not_bind_the_size_so_the_size_must_be_signed() -> None:
    """Why the docstrings insist: here a prover chose the size, and another place is "proven"."""
    assert SIZE == 13
    merkle.verify_inclusion(INDEX, 14, merkle.leaf_hash(TREE[INDEX]), PATH, ROOT)
