"""Whether a proof batch shows many keys of one store under one root.

Every node is checked and hashed once. The first path reaches the root of the store; every later
one ends below a right slot that the path before it left open, and must hash to what stands in that
slot. So nothing is looked up by its hash, and nothing in a batch goes unused.

The rules are those of the ordinary verifier (rules.py) under the pinned IAVL and simple-map specs,
and the operations are not sent: a leaf is SHA-256 of height 0, size 1, version, key, hashed value;
an inner node SHA-256 of height, size, version, left, right. Because heights rise strictly along a
path, across joins too, and end at 127, a node's height is at least its layer and no path is deeper
than the spec allows.

Source: ICS-23; cosmos/iavl node.go (writeHashBytes); design section 4, "Proof batches".
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from hub.core.codec.proto import encode_varint
from hub.core.errors import ProofBatchInvalid, ProofSpecViolated, RootMismatch
from hub.light_clients.proofs.batch_codec import MAX_HEIGHT, ON_RIGHT, RawBatch, decode_batch
from hub.light_clients.proofs.ics23 import split_prefix
from hub.light_clients.proofs.spec import DIGEST_BYTES, IAVL_SPEC

if TYPE_CHECKING:
    from collections.abc import Sequence

HEIGHTS = [encode_varint(height << 1) for height in range(MAX_HEIGHT + 1)]
"""Each height as the zig-zag varint that a node's hash begins with."""

_LEAF_START = b"\x00\x02"
CHILD = b"\x20"
"""The length byte before the hash of a child."""

_MAX_NUMBERS = [IAVL_SPEC.inner.max_prefix - len(height) - 1 for height in HEIGHTS]
"""Bytes left for size and version by the spec's longest prefix, for each height."""


def verify_batch(
    root: bytes,
    prefix: tuple[bytes, ...],
    leaves: Sequence[tuple[bytes, bytes]],
    batch: bytes,
) -> None:
    """*batch* shows each (key, value) of *leaves*, 1 to 256, keys strictly rising, under *root*.

    *prefix* is the store's name, then the bytes that go before each key within it; *root* has 32
    bytes. One failure rejects all. Raises ``ProofUnparseable``, ``LimitExceeded``,
    ``ProofBatchInvalid``, ``ProofSpecViolated`` or ``RootMismatch``.
    """
    raw = decode_batch(batch, len(leaves))
    full = check_leaves(prefix, leaves)
    check_nodes(raw)
    store_root = _paths_root(raw, full)
    computed = _map_root(raw, prefix[0], store_root)
    if computed != root:
        raise RootMismatch(got=computed.hex(), expected=root.hex())


def check_leaves(
    prefix: tuple[bytes, ...], leaves: Sequence[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """*leaves* with the key prefix before each key; keys rise strictly, nothing is empty.

    Raises ``ProofBatchInvalid`` or ``ProofSpecViolated``.
    """
    split_prefix(prefix, leaves[0][0])
    key_prefix = prefix[1]
    last = b""
    for index, (key, value) in enumerate(leaves):
        if key <= last:
            raise ProofBatchInvalid(leaf=index, rule="key does not rise")
        if not value:
            raise ProofSpecViolated(at=0, rule="value is empty")
        last = key
    return [(key_prefix + key, value) for key, value in leaves]


def check_nodes(raw: RawBatch) -> None:
    """Each path's heights rise strictly to below its slot, and each prefix fits the spec.

    Raises ``ProofBatchInvalid`` or ``ProofSpecViolated``.
    """
    steps = raw.steps
    start = 0
    for index, end in enumerate(raw.ends):
        height = 0
        for at in range(start, end):
            above = steps[at] & MAX_HEIGHT
            if above <= height:
                raise ProofBatchInvalid(
                    leaf=index, rule=f"height {above} does not rise over {height}"
                )
            if len(raw.numbers[at]) > _MAX_NUMBERS[above]:
                raise ProofSpecViolated(at=at + 1, rule="inner prefix is too long")
            height = above
        if index and raw.joins[index - 1] <= height:
            raise ProofBatchInvalid(leaf=index, rule=f"slot does not lie over height {height}")
        start = end


def _paths_root(raw: RawBatch, leaves: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The root of the store, after every later path met its slot. Raises ``ProofBatchInvalid``."""
    steps, siblings, numbers, heights = raw.steps, raw.siblings, raw.numbers, HEIGHTS
    root = b""
    slots: list[tuple[int, bytes]] = []  # open right slots of the current path, the lowest last
    start = 0
    for index, (key, value) in enumerate(leaves):
        expected = _close(slots, raw.joins[index - 1], index) if index else b""
        current = leaf_digest(raw.leaf_versions[index], key, value)
        opened: list[tuple[int, bytes]] = []
        end = raw.ends[index]
        for at in range(start, end):
            step = steps[at]
            sibling = siblings[at * DIGEST_BYTES : at * DIGEST_BYTES + DIGEST_BYTES]
            if step < ON_RIGHT:
                opened.append((step, sibling))
                node = heights[step] + numbers[at] + CHILD + current + CHILD + sibling
            else:
                node = heights[step - ON_RIGHT] + numbers[at] + CHILD + sibling + CHILD + current
            current = sha256(node).digest()
        if not index:
            root = current
        elif current != expected:
            raise ProofBatchInvalid(leaf=index, rule="path does not hash to its slot")
        opened.reverse()
        slots += opened
        start = end
    return root


def _close(slots: list[tuple[int, bytes]], height: int, leaf: int) -> bytes:
    """The hash in the open slot at *height*; that slot and all below it are open no more."""
    while slots:
        at, expected = slots.pop()
        if at == height:
            return expected
    raise ProofBatchInvalid(leaf=leaf, rule=f"no right slot is open at height {height}")


def leaf_digest(version: bytes, key: bytes, value: bytes) -> bytes:
    """The hash (32 bytes) of an IAVL leaf; *version* is its zig-zag varint."""
    return sha256(
        _LEAF_START + version + encode_varint(len(key)) + key + CHILD + sha256(value).digest()
    ).digest()


def _map_root(raw: RawBatch, store: bytes, store_root: bytes) -> bytes:
    """The root over all stores: one simple-map leaf, and the path from it."""
    current = sha256(
        b"\x00" + encode_varint(len(store)) + store + CHILD + sha256(store_root).digest()
    ).digest()
    for at, on_right in enumerate(raw.store_sides):
        sibling = raw.store_siblings[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]
        pair = sibling + current if on_right else current + sibling
        current = sha256(b"\x01" + pair).digest()
    return current
