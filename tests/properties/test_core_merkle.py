"""Merkle proofs: every true one verifies, and no single tampering does."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.core import merkle
from hub.core.errors import ProofUnparseable, RootMismatch

LEAVES = st.lists(st.binary(max_size=3), min_size=1, max_size=40)
DIGESTS = st.binary(min_size=32, max_size=32)
REFUSED = (ProofUnparseable, RootMismatch)


def _tampered(proof: tuple[bytes, ...], data: st.DataObject) -> tuple[bytes, ...]:
    """*proof* with one node changed, dropped, added, doubled, or two exchanged."""
    kinds = ["add"] + (["flip", "drop", "double", "cut"] if proof else [])
    kind = data.draw(st.sampled_from(kinds + (["swap"] if len(proof) > 1 else [])))
    at = data.draw(st.integers(0, len(proof) - (kind != "add")))
    if kind == "add":
        return (*proof[:at], data.draw(DIGESTS), *proof[at:])
    if kind == "drop":
        return (*proof[:at], *proof[at + 1 :])
    if kind == "double":
        return (*proof[: at + 1], *proof[at:])
    if kind == "cut":
        return (*proof[:at], proof[at][:-1], *proof[at + 1 :])
    if kind == "swap":
        other = (at + 1) % len(proof)
        nodes = list(proof)
        nodes[at], nodes[other] = nodes[other], nodes[at]
        return tuple(nodes)
    flipped = bytearray(proof[at])
    flipped[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    return (*proof[:at], bytes(flipped), *proof[at + 1 :])


@given(LEAVES, st.data())
def test_an_inclusion_proof_verifies_and_no_tampered_one_does(
    leaves: list[bytes], data: st.DataObject
) -> None:
    size, root = len(leaves), merkle.root(leaves)
    index = data.draw(st.integers(0, size - 1))
    digest = merkle.leaf_hash(leaves[index])
    proof = merkle.inclusion_proof(leaves, index)
    merkle.verify_inclusion(index, size, digest, proof, root)

    changed = _tampered(proof, data)
    assume(changed != proof)
    with pytest.raises(REFUSED):
        merkle.verify_inclusion(index, size, digest, changed, root)


@given(LEAVES, st.data())
def test_a_leaf_is_proven_at_its_own_places_only(leaves: list[bytes], data: st.DataObject) -> None:
    size, root = len(leaves), merkle.root(leaves)
    index, other = (data.draw(st.integers(0, size - 1)) for _ in range(2))
    assume(leaves[index] != leaves[other])
    digest = merkle.leaf_hash(leaves[index])
    for proof in (merkle.inclusion_proof(leaves, index), merkle.inclusion_proof(leaves, other)):
        with pytest.raises(REFUSED):
            merkle.verify_inclusion(other, size, digest, proof, root)


@given(LEAVES, st.data())
def test_a_consistency_proof_verifies_and_no_tampered_one_does(
    leaves: list[bytes], data: st.DataObject
) -> None:
    size2 = len(leaves)
    size1 = data.draw(st.integers(1, size2))
    root1, root2 = merkle.root(leaves[:size1]), merkle.root(leaves)
    proof = merkle.consistency_proof(leaves, size1)
    merkle.verify_consistency(size1, size2, proof, root1, root2)

    changed = _tampered(proof, data)
    assume(changed != proof)
    with pytest.raises(REFUSED):
        merkle.verify_consistency(size1, size2, changed, root1, root2)


@given(LEAVES, LEAVES, st.data())
def test_a_tree_that_rewrites_history_is_never_consistent(
    leaves: list[bytes], others: list[bytes], data: st.DataObject
) -> None:
    size1 = data.draw(st.integers(1, len(leaves)))
    assume(len(others) >= size1)
    assume(others[:size1] != leaves[:size1])
    proof = merkle.consistency_proof(others, size1)
    with pytest.raises(REFUSED):
        merkle.verify_consistency(
            size1, len(others), proof, merkle.root(leaves[:size1]), merkle.root(others)
        )


@given(LEAVES, LEAVES)
def test_two_lists_share_a_root_only_if_they_are_one(left: list[bytes], right: list[bytes]) -> None:
    assert (merkle.root(left) == merkle.root(right)) == (left == right)


NODES = st.lists(st.one_of(DIGESTS, st.binary(max_size=33)), max_size=70)
ANY = st.integers(-2, 2**64)


@given(ANY, ANY, st.binary(max_size=33), NODES, st.binary(max_size=33))
def test_verifiers_are_total(
    first: int, second: int, digest: bytes, proof: list[bytes], root: bytes
) -> None:
    with pytest.raises(REFUSED):
        merkle.verify_inclusion(first, second, digest, proof, root + b"\x01" * 34)
    with pytest.raises(REFUSED):
        merkle.verify_consistency(first, second, proof, digest, digest + b"\x01")
    claim = merkle.Proof(total=second, index=first, leaf_hash=digest, aunts=tuple(proof))
    with pytest.raises(REFUSED):
        merkle.verify_proof(claim, root, digest)
