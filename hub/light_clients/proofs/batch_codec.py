"""A proof batch as bytes, and one chain of paths through an IAVL tree as values.

Struct of arrays, so that reading costs little: every array is one slice or one regular
expression. With *n* leaves (not sent, the verifier knows them) and *m* nodes:

::

    store depth d     1 byte, then d sides (1 byte each, 0 left, 1 right), d siblings (32 bytes)
    lengths           n bytes: nodes on each leaf's path
    joins             n - 1 bytes: height of the slot that each later path ends below
    steps             m bytes: height, and 128 where the child stands on the right
    siblings          m times 32 bytes
    versions          n zig-zag varints, one for each leaf
    sizes, versions   m pairs of zig-zag varints, one for each node

Every number is minimal and nothing follows, so a batch has one encoding only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from hub.core.codec.proto import encode_varint
from hub.core.errors import LimitExceeded, ProofUnparseable
from hub.light_clients.proofs.spec import DEFAULT_MAX_DEPTH, DIGEST_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LEAVES = 256
MAX_BATCH_BYTES = 1 << 20
MAX_HEIGHT = 127
ON_RIGHT = 0x80
_MAX_NUMBER_BYTES = 9

_EVEN = bytes(range(0, 0x80, 2))
_EVEN_MORE = bytes(range(0x80, 0x100, 2))
# One zig-zag varint that is minimal and not negative, of at most 9 bytes.
_NUMBER = re.compile(
    rb"[" + re.escape(_EVEN) + rb"]|[" + re.escape(_EVEN_MORE) + rb"][\x80-\xff]{0,7}[\x01-\x7f]",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class StoreStep:
    """One node of the path through the map of stores: where its child stands, and the sibling."""

    right: bool
    sibling: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One inner node of an IAVL path: its own numbers, where its child stands, the sibling."""

    height: int
    size: int
    version: int
    right: bool
    sibling: bytes


@dataclass(frozen=True, slots=True)
class Path:
    """One leaf's way up: to the root for the first leaf, else to below the slot *join*."""

    version: int
    join: int
    """Height of the node in whose right slot the path ends; 0 for the first leaf."""
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class RawBatch:
    """The arrays of a batch, cut but not judged."""

    store_sides: bytes
    store_siblings: bytes
    ends: list[int]
    """For each leaf, the index after its path's last node."""
    joins: bytes
    steps: bytes
    siblings: bytes
    leaf_versions: list[bytes]
    numbers: list[bytes]
    """For each node, its size and its version as varints, one after the other."""


def encode_batch(store: Sequence[StoreStep], paths: Sequence[Path]) -> bytes:
    """The bytes of a batch of *paths* under the store that *store* leads up from."""
    steps = [step for path in paths for step in path.steps]
    return b"".join(
        [
            bytes((len(store),)),
            bytes([step.right for step in store]),
            *[step.sibling for step in store],
            bytes([len(path.steps) for path in paths]),
            bytes([path.join for path in paths[1:]]),
            bytes([step.height | (ON_RIGHT if step.right else 0) for step in steps]),
            *[step.sibling for step in steps],
            *[encode_varint(path.version << 1) for path in paths],
            *[encode_varint(step.size << 1) + encode_varint(step.version << 1) for step in steps],
        ]
    )


def decode_batch(data: bytes, leaves: int) -> RawBatch:
    """The arrays of *data*, a batch of that many *leaves*.

    Raises ``ProofUnparseable`` or ``LimitExceeded``.
    """
    if not 1 <= leaves <= MAX_LEAVES:
        raise LimitExceeded(what="leaves of a batch", count=leaves, limit=MAX_LEAVES)
    if len(data) > MAX_BATCH_BYTES:
        raise LimitExceeded(what="proof batch bytes", count=len(data), limit=MAX_BATCH_BYTES)
    depth = data[0] if data else 0
    if depth > DEFAULT_MAX_DEPTH:
        raise _bad("store path is too deep")
    sides_end = 1 + depth
    store_end = sides_end + depth * DIGEST_BYTES
    lengths_end = store_end + leaves
    joins_end = lengths_end + leaves - 1
    ends = list(accumulate(data[store_end:lengths_end]))
    nodes = ends[-1] if len(ends) == leaves else 0
    steps_end = joins_end + nodes
    siblings_end = steps_end + nodes * DIGEST_BYTES
    if len(data) <= siblings_end:
        raise _bad("is cut")
    wanted = leaves + 2 * nodes
    if len(data) - siblings_end > wanted * _MAX_NUMBER_BYTES:
        raise _bad(f"is too long for {leaves} leaves and {nodes} nodes")
    numbers = _NUMBER.findall(data, siblings_end)
    if len(numbers) != wanted:
        raise _bad(f"has {len(numbers)} numbers for {leaves} leaves and {nodes} nodes")
    # The search skips what it does not match, so the length shows that it matched everything.
    if sum(map(len, numbers)) != len(data) - siblings_end:
        raise _bad("numbers are not minimal, or negative")
    sides = data[1:sides_end]
    if sides.strip(b"\x00\x01"):
        raise _bad("a side is neither 0 nor 1")
    return RawBatch(
        store_sides=sides,
        store_siblings=data[sides_end:store_end],
        ends=ends,
        joins=data[lengths_end:joins_end],
        steps=data[joins_end:steps_end],
        siblings=data[steps_end:siblings_end],
        leaf_versions=numbers[:leaves],
        numbers=[a + b for a, b in zip(numbers[leaves::2], numbers[leaves + 1 :: 2], strict=True)],
    )


def _bad(problem: str) -> ProofUnparseable:
    return ProofUnparseable(what="proof batch", problem=problem)
