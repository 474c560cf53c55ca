"""Proofs from one kept version of an IAVL tree, in the form that the field's verifiers accept.

Source: cosmos/iavl proof_ics23.go (GetMembershipProof, GetNonMembershipProof); ICS-23;
design section 4, "Proof batches".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.simchain.store.node import Inner, Leaf, Node, node_hash, zigzag
from hub.light_clients.proofs.batch_codec import Path, Step
from hub.light_clients.proofs.spec import (
    IAVL_SPEC,
    ExistenceProof,
    HashOp,
    InnerOp,
    LeafOp,
    NonExistenceProof,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHILD = b"\x20"
_LEAF_START = b"\x00\x02"

Way = list[tuple[Inner, bool]]
"""Inner nodes from the top down, each with whether the way goes on to its right."""


class NotProvable(Exception):
    """What is to be proven is not so in this version; a fault of the caller."""


def prove_existence(tree: Node | None, key: bytes) -> ExistenceProof:
    """That *key* stands in *tree*, with its value. Raises ``NotProvable``."""
    way: Way = []
    leaf = _descend(tree, key, way)
    if leaf is None or leaf.key != key:
        raise NotProvable(f"key {key.hex()} is absent")
    return _existence(way, leaf)


def prove_absence(tree: Node | None, key: bytes) -> NonExistenceProof:
    """That nothing stands at *key* in *tree*, by its neighbours.

    Raises ``NotProvable``, for an empty tree too: ICS-23 has no proof about one.
    """
    way: Way = []
    leaf = _descend(tree, key, way)
    if leaf is None:
        raise NotProvable("the tree is empty")
    if leaf.key == key:
        raise NotProvable(f"key {key.hex()} is present")
    found = _existence(way, leaf)
    if leaf.key < key:
        return NonExistenceProof(key, found, _beside(way, right=True))
    return NonExistenceProof(key, _beside(way, right=False), found)


def prove_batch(tree: Node | None, keys: Sequence[bytes]) -> list[Path]:
    """The chain of paths of *keys*, strictly rising, through *tree*. Raises ``NotProvable``."""
    paths: list[Path] = []
    way: Way = []
    for key in keys:
        start = join = 0
        below = tree
        if paths:
            start = _parting(way, key)
            turn = way[start][0]
            way[start:] = [(turn, True)]
            start, join, below = start + 1, turn.height, turn.right
        leaf = _descend(below, key, way)
        if leaf is None or leaf.key != key:
            raise NotProvable(f"key {key.hex()} is absent")
        steps = tuple([_step(node, right=right) for node, right in reversed(way[start:])])
        paths.append(Path(leaf.version, join, steps))
    return paths


def _descend(node: Node | None, key: bytes, way: Way) -> Leaf | None:
    """The leaf where *key* stands or would stand; *way* grows by the nodes passed."""
    while isinstance(node, Inner):
        right = key >= node.key
        way.append((node, right))
        node = node.right if right else node.left
    return node


def _parting(way: Way, key: bytes) -> int:
    """Where *key* leaves *way* to the right. Raises ``NotProvable``."""
    for index, (node, right) in enumerate(way):
        if key >= node.key:
            if not right:
                return index
        elif right:
            break
    raise NotProvable(f"key {key.hex()} does not rise, or is absent")


def _beside(way: Way, *, right: bool) -> ExistenceProof | None:
    """The proof of the leaf next to the one at the end of *way*, on its right or left side."""
    for index in range(len(way) - 1, -1, -1):
        node, went_right = way[index]
        if went_right != right:
            passed = [*way[:index], (node, right)]
            below: Node = node.right if right else node.left
            while isinstance(below, Inner):
                passed.append((below, not right))
                below = below.left if right else below.right
            return _existence(passed, below)
    return None


def _existence(way: Way, leaf: Leaf) -> ExistenceProof:
    want = IAVL_SPEC.leaf
    operation = LeafOp(
        hash=want.hash,
        prehash_key=want.prehash_key,
        prehash_value=want.prehash_value,
        length=want.length,
        prefix=_LEAF_START + zigzag(leaf.version),
    )
    path = tuple([_inner(node, right=right) for node, right in reversed(way)])
    return ExistenceProof(leaf.key, leaf.value, operation, path)


def _inner(node: Inner, *, right: bool) -> InnerOp:
    if right:
        prefix = node.prefix + _CHILD + node_hash(node.left) + _CHILD
        return InnerOp(HashOp.SHA256, prefix, b"")
    return InnerOp(HashOp.SHA256, node.prefix + _CHILD, _CHILD + node_hash(node.right))


def _step(node: Inner, *, right: bool) -> Step:
    sibling = node_hash(node.left if right else node.right)
    return Step(node.height, node.size, node.version, right, sibling)
