"""Merkle trees over SHA-256: the root of a list, and proofs about it.

A leaf's hash begins with 0x00, an inner node's with 0x01; a tree splits at the largest power of two
below its size; the empty tree's root is SHA-256 of nothing. CometBFT's trees are the same.

A root does not bind its tree's size. Size and root must come from one signed object: with a size of
the prover's own choosing, a proof made for one index also verifies for another. Where no size is
signed (CometBFT's ``data_hash``) a proof shows that a leaf is in the tree, and not where.

Every proof has exactly one right length; a node too few or too many is an error.

Source: RFC 6962 section 2.1; RFC 9162 section 2.1; CometBFT crypto/merkle tree.go and proof.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from hub.core.errors import ProofUnparseable, RootMismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

DIGEST_BYTES: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()

MAX_SIZE: Final = 2**63 - 1
"""Leaves of one tree; so no proof has more than 64 nodes. Source: CometBFT, an int64."""

_LEAF = b"\x00"
_INNER = b"\x01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That one leaf is in a tree. Source: CometBFT proto/crypto/proof.proto, Proof.

    *total* and *index* are the prover's word unless the caller knows them from a signed object.
    """

    total: int
    index: int
    leaf_hash: bytes
    aunts: tuple[bytes, ...]
    """The siblings of the path, lowest first."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf that holds *leaf*."""
    return sha256(_LEAF + leaf).digest()


def inner_hash(left: bytes, right: bytes) -> bytes:
    """The hash of the node above *left* and *right*."""
    return sha256(_INNER + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree that holds *leaves*, in this order."""
    if not leaves:
        return EMPTY_ROOT
    level = [leaf_hash(leaf) for leaf in leaves]
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings, lowest first, of the path from leaf *index* to the root of *leaves*.

    Raises ``ProofUnparseable`` when there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise _bad("inclusion proof", f"index {index} of {len(leaves)} leaves")
    level = [leaf_hash(leaf) for leaf in leaves]
    siblings: list[bytes] = []
    while len(level) > 1:
        # A last node without a sibling goes up as it is, and adds nothing to the path.
        if index ^ 1 < len(level):
            siblings.append(level[index ^ 1])
        level = _level_above(level)
        index >>= 1
    return tuple(siblings)


def consistency_proof(leaves: Sequence[bytes], size: int) -> tuple[bytes, ...]:
    """That the first *size* of *leaves* are a tree which all *leaves* extend.

    Raises ``ProofUnparseable`` unless 0 < *size* <= number of leaves. Source: RFC 9162 2.1.4.1.
    """
    if not 0 < size <= len(leaves):
        raise _bad("consistency proof", f"size {size} of {len(leaves)} leaves")
    nodes: list[bytes] = []
    rest, whole = leaves, True
    while size < len(rest):
        split = 1 << (len(rest) - 1).bit_length() - 1
        if size <= split:
            nodes.append(root(rest[split:]))
            rest = rest[:split]
        else:
            nodes.append(root(rest[:split]))
            rest, size, whole = rest[split:], size - split, False
    if not whole:
        nodes.append(root(rest))
    return tuple(reversed(nodes))


def verify_inclusion(
    index: int, size: int, leaf_digest: bytes, proof: Sequence[bytes], expected_root: bytes
) -> None:
    """The leaf with hash *leaf_digest* stands at *index* of the tree with *size* and this root.

    *size* and *expected_root* come from one signed object, never from the prover. Raises
    ``ProofUnparseable`` or ``RootMismatch``. Source: RFC 9162 2.1.3.2.
    """
    what = "inclusion proof"
    if not 0 <= index < size <= MAX_SIZE:
        raise _bad(what, f"index {index} of size {size}")
    inner, border = _path_lengths(index, size)
    _check_nodes(what, proof, inner + border)
    if len(leaf_digest) != DIGEST_BYTES:
        raise _bad(what, f"leaf hash has {len(leaf_digest)} bytes")
    node = _climb_inner(leaf_digest, proof[:inner], index)
    _check_root(_climb_border(node, proof[inner:]), expected_root)


def verify_proof(proof: Proof, leaf: bytes, expected_root: bytes) -> None:
    """*leaf* is in the tree with *expected_root*; where is only shown if the size is signed too.

    Raises ``ProofUnparseable`` or ``RootMismatch``. Source: CometBFT crypto/merkle, Proof.Verify.
    """
    digest = leaf_hash(leaf)
    if proof.leaf_hash != digest:
        raise RootMismatch(got=digest.hex(), expected=proof.leaf_hash.hex())
    verify_inclusion(proof.index, proof.total, digest, proof.aunts, expected_root)


def verify_consistency(
    size1: int, size2: int, proof: Sequence[bytes], root1: bytes, root2: bytes
) -> None:
    """The tree of *size2* begins with all the leaves of the tree of *size1*, in their order.

    Each size and its root come from one signed object. Equal sizes show no more than equal roots.
    From an empty tree to another nothing can be proven, so that is refused. Raises
    ``ProofUnparseable`` or ``RootMismatch``. Source: RFC 9162 2.1.4.2; transparency-dev/merkle
    proof/verify.go.
    """
    what = "consistency proof"
    if not 0 <= size1 <= size2 <= MAX_SIZE:
        raise _bad(what, f"from size {size1} to size {size2}")
    if size1 == size2:
        _check_nodes(what, proof, 0)
        _check_root(root1, root2)
        return
    if size1 == 0:
        raise _bad(what, "begins at an empty tree")
    # The path of leaf size1-1 in the larger tree, from the largest whole subtree that ends there.
    shift = (size1 & -size1).bit_length() - 1
    inner, border = _path_lengths(size1 - 1, size2)
    inner -= shift
    is_whole = size1 == 1 << shift
    _check_nodes(what, proof, inner + border + (not is_whole))
    seed, path = (root1, proof) if is_whole else (proof[0], proof[1:])
    index = (size1 - 1) >> shift
    left_only = [node for at, node in enumerate(path[:inner]) if index >> at & 1]
    _check_root(_climb_border(_climb_border(seed, left_only), path[inner:]), root1)
    _check_root(_climb_border(_climb_inner(seed, path[:inner], index), path[inner:]), root2)


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    above = [inner_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    if len(level) & 1:
        above.append(level[-1])
    return above


def _path_lengths(index: int, size: int) -> tuple[int, int]:
    """Nodes of the path of *index* below, and on, the right border of a tree of *size*.

    The two parts meet where the paths of *index* and of the last leaf come together.
    """
    inner = (index ^ (size - 1)).bit_length()
    return inner, (index >> inner).bit_count()


def _climb_inner(node: bytes, path: Sequence[bytes], index: int) -> bytes:
    for at, sibling in enumerate(path):
        is_right = index >> at & 1
        node = inner_hash(sibling, node) if is_right else inner_hash(node, sibling)
    return node


def _climb_border(node: bytes, path: Sequence[bytes]) -> bytes:
    for sibling in path:
        node = inner_hash(sibling, node)
    return node


def _check_nodes(what: str, proof: Sequence[bytes], count: int) -> None:
    if len(proof) != count:
        raise _bad(what, f"has {len(proof)} nodes, {count} needed")
    if any(len(node) != DIGEST_BYTES for node in proof):
        raise _bad(what, f"has a node that is not of {DIGEST_BYTES} bytes")


def _check_root(computed: bytes, expected: bytes) -> None:
    if computed != expected:
        raise RootMismatch(got=computed.hex(), expected=expected.hex())


def _bad(what: str, problem: str) -> ProofUnparseable:
    return ProofUnparseable(what=what, problem=problem)
