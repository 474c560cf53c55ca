"""IAVL trees of any shape and the map of stores over them, built plainly, with all their proofs.

A slow second opinion: it shares no code with the verifier or with simchain's store. Shapes need
not be balanced, so odd trees can be built too.

Source: cosmos/iavl node.go (writeHashBytes), proof_ics23.go; cosmos-sdk store/types (the map of
stores is a simple Merkle tree of names and hashed roots).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from hub.light_clients.proofs.batch_codec import Path, Step, StoreStep, encode_batch
from hub.light_clients.proofs.codec import encode_merkle_proof
from hub.light_clients.proofs.spec import ExistenceProof, InnerOp, LeafOp, NonExistenceProof

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

LEAF_OP = LeafOp(hash=1, prehash_value=1, length=1, prefix=b"\x00")
_CHILD = b"\x20"


@dataclass(frozen=True)
class Leaf:
    key: bytes
    value: bytes
    version: int
    digest: bytes
    height: int = 0
    size: int = 1


@dataclass(frozen=True)
class Inner:
    left: Node
    right: Node
    version: int
    height: int
    size: int
    digest: bytes

    @property
    def head(self) -> bytes:
        """What the hash begins with."""
        return zigzag(self.height) + zigzag(self.size) + zigzag(self.version)


Node = Leaf | Inner
Turn = tuple[Inner, bool]
"""An inner node of a path, and whether the path turns right there."""


def leaf(key: bytes, value: bytes, version: int = 1) -> Leaf:
    head = zigzag(0) + zigzag(1) + zigzag(version)
    return Leaf(key, value, version, _sha(head + measured(key) + measured(_sha(value))))


def join(left: Node, right: Node, version: int = 1, height: int = 0) -> Inner:
    """The node over *left* and *right*; a *height* other than its own can be forced on it."""
    height = height or 1 + max(left.height, right.height)
    size = left.size + right.size
    head = zigzag(height) + zigzag(size) + zigzag(version)
    digest = _sha(head + measured(left.digest) + measured(right.digest))
    return Inner(left, right, version, height, size, digest)


def plant(
    items: Mapping[bytes, bytes],
    rng: Random | None = None,
    *,
    newest: int = 1,
    skewed: bool = False,
) -> Node:
    """A tree over *items*: halved, or with *rng* dated and (if *skewed*) split at random."""

    def version() -> int:
        return rng.randint(1, newest) if rng else newest

    def grow(part: Sequence[Leaf]) -> Node:
        if len(part) == 1:
            return part[0]
        cut = rng.randint(1, len(part) - 1) if rng and skewed else (len(part) + 1) // 2
        return join(grow(part[:cut]), grow(part[cut:]), version())

    return grow([leaf(key, items[key], version()) for key in sorted(items)])


@dataclass(frozen=True)
class World:
    """The stores of one state by name, and the root over them."""

    stores: Mapping[str, Node]

    @property
    def root(self) -> bytes:
        return _map_root(self._map_leaves())

    def items(self, store: str) -> list[tuple[bytes, bytes]]:
        return [(found.key, found.value) for found, _ in walk(self.stores[store])]

    def existence(self, store: str, key: bytes) -> ExistenceProof:
        """The proof of *key*, which is there."""
        return next(prove(found, up) for found, up in walk(self.stores[store]) if found.key == key)

    def absence(self, store: str, key: bytes) -> NonExistenceProof:
        """The proof of the neighbours of *key*, which is not there."""
        found = walk(self.stores[store])
        at = bisect_left([one.key for one, _ in found], key)
        return NonExistenceProof(
            key,
            prove(*found[at - 1]) if at else None,
            prove(*found[at]) if at < len(found) else None,
        )

    def store_proof(self, store: str) -> ExistenceProof:
        """The proof of the root of *store* in the map of stores."""
        path = [
            InnerOp(1, b"\x01" + sibling, b"") if right else InnerOp(1, b"\x01", sibling)
            for right, sibling in _map_path(self._map_leaves(), store)
        ]
        return ExistenceProof(store.encode(), self.stores[store].digest, LEAF_OP, tuple(path))

    def membership(self, store: str, key: bytes) -> bytes:
        """The chained proof of *key*, as bytes."""
        return encode_merkle_proof((self.existence(store, key), self.store_proof(store)))

    def non_membership(self, store: str, key: bytes) -> bytes:
        """The chained proof of the absence of *key*, as bytes."""
        return encode_merkle_proof((self.absence(store, key), self.store_proof(store)))

    def batch_parts(
        self, store: str, keys: Sequence[bytes]
    ) -> tuple[tuple[StoreStep, ...], tuple[Path, ...]]:
        """What a batch of *keys*, which are there and rise, is made of."""
        known = {found.key: (found, turns) for found, turns in walk(self.stores[store])}
        paths: list[Path] = []
        before: list[Turn] = []
        for key in keys:
            found, turns = known[key]
            slot, start = 0, 0
            if paths:
                parted = next(i for i, turn in enumerate(turns) if turn[1] != before[i][1])
                slot, start = turns[parted][0].height, parted + 1
            steps = tuple(
                Step(
                    node.height,
                    node.size,
                    node.version,
                    right,
                    (node.left if right else node.right).digest,
                )
                for node, right in reversed(turns[start:])
            )
            paths.append(Path(found.version, slot, steps))
            before = turns
        return tuple(StoreStep(*step) for step in _map_path(self._map_leaves(), store)), tuple(
            paths
        )

    def batch(self, store: str, keys: Sequence[bytes]) -> bytes:
        """The batch of *keys*, as bytes."""
        return encode_batch(*self.batch_parts(store, keys))

    def _map_leaves(self) -> list[tuple[str, bytes]]:
        return [
            (name, _sha(b"\x00" + measured(name.encode()) + measured(_sha(top.digest))))
            for name, top in sorted(self.stores.items())
        ]


def walk(node: Node, turns: tuple[Turn, ...] = ()) -> list[tuple[Leaf, list[Turn]]]:
    """Each leaf under *node*, left to right, with the turns from the top down to it."""
    if isinstance(node, Leaf):
        return [(node, list(turns))]
    return walk(node.left, (*turns, (node, False))) + walk(node.right, (*turns, (node, True)))


def prove(found: Leaf, turns: Sequence[Turn]) -> ExistenceProof:
    """The proof of a leaf that :func:`walk` found."""
    path = [
        InnerOp(1, node.head + measured(node.left.digest) + _CHILD, b"")
        if right
        else InnerOp(1, node.head + _CHILD, measured(node.right.digest))
        for node, right in reversed(turns)
    ]
    op = replace(LEAF_OP, prefix=zigzag(0) + zigzag(1) + zigzag(found.version))
    return ExistenceProof(found.key, found.value, op, tuple(path))


def zigzag(number: int) -> bytes:
    """A non-negative *number* as iavl writes it."""
    return varint(2 * number)


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def measured(data: bytes) -> bytes:
    """*data* behind its length."""
    return varint(len(data)) + data


def _sha(data: bytes) -> bytes:
    return sha256(data).digest()


def _split(count: int) -> int:
    """The largest power of two below *count*."""
    return 1 << ((count - 1).bit_length() - 1)


def _map_root(leaves: Sequence[tuple[str, bytes]]) -> bytes:
    if len(leaves) == 1:
        return leaves[0][1]
    cut = _split(len(leaves))
    return _sha(b"\x01" + _map_root(leaves[:cut]) + _map_root(leaves[cut:]))


def _map_path(leaves: Sequence[tuple[str, bytes]], name: str) -> list[tuple[bool, bytes]]:
    """The way up from the leaf of *name*: whether it stands right, and its sibling."""
    if len(leaves) == 1:
        return []
    cut = _split(len(leaves))
    low, high = leaves[:cut], leaves[cut:]
    if any(one == name for one, _ in low):
        return [*_map_path(low, name), (False, _map_root(high))]
    return [*_map_path(high, name), (True, _map_root(low))]
