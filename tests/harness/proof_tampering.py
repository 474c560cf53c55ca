"""The sample proof with one thing changed in it: what proofs are refused for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub.light_clients.proofs.spec import ExistenceProof, InnerOp
from tests.harness.iavl import zigzag
from tests.harness.proof_samples import KEY_PREFIX, MIDDLE, STORE, WORLD, key, lower

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.light_clients.proofs.spec import CommitmentProof

Chain = tuple["CommitmentProof", ...]
Nodes = tuple[InnerOp, ...]

ABSENT = MIDDLE + 1
ABSENCE = WORLD.absence(STORE, KEY_PREFIX + key(ABSENT))


def without_leaf(low: ExistenceProof) -> ExistenceProof:
    return replace(low, leaf=None)


def leaf_with(**changes: object) -> Callable[[Chain], Chain]:
    def change(chain: Chain) -> Chain:
        low, up = chain
        assert isinstance(low, ExistenceProof)
        assert low.leaf
        return replace(low, leaf=replace(low.leaf, **changes)), up  # type: ignore[arg-type]

    return change


def path_with(edit: Callable[[Nodes], Nodes]) -> Callable[[Chain], Chain]:
    def change(chain: Chain) -> Chain:
        low, up = chain
        assert isinstance(low, ExistenceProof)
        return replace(low, path=edit(low.path)), up

    return change


def inner(at: int, **changes: object) -> Callable[[Chain], Chain]:
    return path_with(lambda path: (*path[:at], replace(path[at], **changes), *path[at + 1 :]))  # type: ignore[arg-type]


def upper_with(**changes: object) -> Callable[[Chain], Chain]:
    return lambda chain: (chain[0], replace(chain[1], **changes))  # type: ignore[arg-type]


def turned(op: InnerOp) -> InnerOp:
    """The same node with its child on the other side."""
    if op.suffix:
        return InnerOp(op.hash, op.prefix[:-1] + op.suffix + b"\x20", b"")
    return InnerOp(op.hash, op.prefix[:-34] + b"\x20", op.prefix[-34:-1])


LOW = lower()
FIRST = LOW.path[0]
LEFT_AT = next(at for at, op in enumerate(LOW.path) if op.suffix)
RIGHT_AT = next(at for at, op in enumerate(LOW.path) if not op.suffix)
HEAD = LOW.path[LEFT_AT].prefix[:-1]
SIBLING = b"\x20" + bytes(32)


def head(height: int, size: int = 2, version: int = 5) -> bytes:
    return zigzag(height) + zigzag(size) + zigzag(version)
