"""Whether the operations of a proof keep to a pinned spec, and where they stand in the tree.

Source: cosmos/ics23 go/ops.go (CheckAgainstSpec, validateIavlOps) and go/proof.go (IsLeftMost,
IsRightMost, IsLeftNeighbor) after Dragonberry. Stricter than both in this: a leaf's prefix is
exactly the tree's, varints are minimal, an inner node has exactly two children, each with the
length byte that its tree writes. Every genuine tree is so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.codec.proto import ProtoError, decode_varint
from hub.core.errors import ProofSpecViolated
from hub.light_clients.proofs.spec import (
    DIGEST_BYTES,
    IAVL_SPEC,
    PINNED,
    ExistenceProof,
    HashOp,
    InnerOp,
    LeafOp,
    ProofSpec,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

LEFT = 0
RIGHT = 1

MAX_IAVL_HEIGHT = 127
"""Source: cosmos/iavl, a node's height is an int8."""

_CHILD_LENGTH = b"\x20"
_INNER_TAG = b"\x01"
_LEFT_REMAINDER = 1
_RIGHT_REMAINDER = 34


def check_existence(spec: ProofSpec, proof: ExistenceProof) -> None:
    """Every operation of *proof* has the form that *spec*, a pinned one, demands.

    Raises ``ProofSpecViolated`` with the node's position, 0 for the leaf.
    """
    if spec not in PINNED:
        raise ProofSpecViolated(at=0, rule="the spec is not a pinned one")
    if not proof.key:
        raise ProofSpecViolated(at=0, rule="key is empty")
    if not proof.value:
        raise ProofSpecViolated(at=0, rule="value is empty")
    if proof.leaf is None:
        raise ProofSpecViolated(at=0, rule="leaf operation is missing")
    if len(proof.path) > spec.max_depth:
        raise ProofSpecViolated(at=spec.max_depth, rule="path is too deep")
    _check_leaf(spec, proof.leaf)
    for layer, op in enumerate(proof.path, 1):
        _check_inner(spec, op, layer)


def branch_of(spec: ProofSpec, op: InnerOp) -> int | None:
    """On which side the child of *op* stands, ``LEFT`` or ``RIGHT``; None if on neither."""
    inner = spec.inner
    size = len(op.prefix)
    if inner.min_prefix <= size <= inner.max_prefix and len(op.suffix) == inner.child_size:
        return LEFT
    shifted = size - inner.child_size
    if inner.min_prefix <= shifted <= inner.max_prefix and not op.suffix:
        return RIGHT
    return None


def is_outermost(spec: ProofSpec, path: Sequence[InnerOp], side: int) -> bool:
    """*path* keeps to *side* all the way, but for siblings that are the empty child."""
    return all(branch_of(spec, op) == side or _sibling_is_empty(spec, op) for op in path)


def is_left_neighbour(spec: ProofSpec, left: Sequence[InnerOp], right: Sequence[InnerOp]) -> bool:
    """No leaf lies between the leaves of *left* and *right*, two paths up to one root.

    Fails closed: paths that never part, an empty one too, are no neighbours.
    """
    low, high = len(left), len(right)
    while low and high:
        low, high = low - 1, high - 1
        above, beside = left[low], right[high]
        if above.prefix == beside.prefix and above.suffix == beside.suffix:
            continue  # still the common tail
        return (
            branch_of(spec, above) == LEFT
            and branch_of(spec, beside) == RIGHT
            and is_outermost(spec, left[:low], RIGHT)
            and is_outermost(spec, right[:high], LEFT)
        )
    return False


def _check_leaf(spec: ProofSpec, op: LeafOp) -> None:
    want = spec.leaf
    for name in ("hash", "prehash_key", "prehash_value", "length"):
        if getattr(op, name) != getattr(want, name):
            raise ProofSpecViolated(at=0, rule=f"leaf {name} is {getattr(op, name)}")
    if spec != IAVL_SPEC:
        if op.prefix != want.prefix:
            raise ProofSpecViolated(at=0, rule="leaf prefix is not the tree's")
        return
    height, size, _, rest = _iavl_prefix(op.prefix, 0)
    if height != 0 or size != 1 or rest:
        raise ProofSpecViolated(at=0, rule="leaf prefix is not height 0, size 1, version")


def _check_inner(spec: ProofSpec, op: InnerOp, layer: int) -> None:
    inner = spec.inner
    if op.hash != HashOp.SHA256:
        raise ProofSpecViolated(at=layer, rule=f"inner hash is {op.hash}")
    if op.prefix.startswith(spec.leaf.prefix):
        raise ProofSpecViolated(at=layer, rule="inner prefix begins as a leaf's")
    if len(op.prefix) < inner.min_prefix:
        raise ProofSpecViolated(at=layer, rule="inner prefix is too short")
    if len(op.prefix) > inner.max_prefix + inner.child_size:
        raise ProofSpecViolated(at=layer, rule="inner prefix is too long")
    if len(op.suffix) % inner.child_size:
        raise ProofSpecViolated(at=layer, rule="suffix is no whole number of children")
    if branch_of(spec, op) is None:
        raise ProofSpecViolated(at=layer, rule="node does not have two children")
    if spec == IAVL_SPEC:
        _check_iavl_inner(op, layer)
    elif not op.prefix.startswith(_INNER_TAG):
        raise ProofSpecViolated(at=layer, rule="inner prefix does not begin with 1")


def _check_iavl_inner(op: InnerOp, layer: int) -> None:
    height, _, _, rest = _iavl_prefix(op.prefix, layer)
    if not layer <= height <= MAX_IAVL_HEIGHT:
        raise ProofSpecViolated(at=layer, rule=f"height {height} is below the layer or over 127")
    if len(rest) not in {_LEFT_REMAINDER, _RIGHT_REMAINDER}:
        raise ProofSpecViolated(at=layer, rule=f"inner prefix leaves {len(rest)} bytes")
    if rest[:1] != _CHILD_LENGTH or rest[-1:] != _CHILD_LENGTH:
        raise ProofSpecViolated(at=layer, rule="child in the prefix is not of 32 bytes")
    if op.suffix[:1] not in {b"", _CHILD_LENGTH}:
        raise ProofSpecViolated(at=layer, rule="child in the suffix is not of 32 bytes")


def _iavl_prefix(prefix: bytes, at: int) -> tuple[int, int, int, bytes]:
    """Height, size and version, zig-zag and not negative, and the bytes after them."""
    numbers: list[int] = []
    offset = 0
    try:
        for _ in range(3):
            number, offset = decode_varint(prefix, offset)
            numbers.append(number)
    except ProtoError as error:
        raise ProofSpecViolated(at=at, rule=f"prefix: {error}") from error
    if any(number & 1 for number in numbers):
        raise ProofSpecViolated(at=at, rule="prefix has a negative number")
    height, size, version = (number >> 1 for number in numbers)
    return height, size, version, prefix[offset:]


def _sibling_is_empty(spec: ProofSpec, op: InnerOp) -> bool:
    empty = spec.inner.empty_child
    if empty is None:
        return False
    sibling = op.suffix if branch_of(spec, op) == LEFT else op.prefix[-DIGEST_BYTES:]
    return sibling == empty
