"""Several stores under one root, as a Cosmos chain keeps them: a simple Merkle map of their roots.

All stores commit together, so one version is the state after one block; its root is the
``app_hash`` that the next header carries.

Source: cosmos-sdk store/rootmulti and store/internal/maps (HashFromMap, ProofsFromMap); RFC 6962
for the shape of the map's tree.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from adapters.simchain.store.iavl import DEFAULT_KEEP, IavlStore
from adapters.simchain.store.proofs import prove_absence, prove_batch, prove_existence
from hub.core import merkle
from hub.core.codec.proto import encode_varint
from hub.light_clients.proofs.batch_codec import StoreStep, encode_batch
from hub.light_clients.proofs.codec import encode_merkle_proof
from hub.light_clients.proofs.spec import (
    TENDERMINT_SPEC,
    ExistenceProof,
    HashOp,
    InnerOp,
    NonExistenceProof,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_INNER_TAG = b"\x01"
_DIGEST = b"\x20"


class Stores:
    """Named IAVL stores that commit together."""

    def __init__(self, names: Iterable[str], *, keep: int = DEFAULT_KEEP) -> None:
        """Empty stores with these *names*, each of which keeps its last *keep* versions."""
        self._stores = {name: IavlStore(keep=keep) for name in sorted(names)}

    def __getitem__(self, name: str) -> IavlStore:
        return self._stores[name]

    @property
    def version(self) -> int:
        """The last committed version."""
        return next(iter(self._stores.values())).version

    def commit(self) -> bytes:
        """The root (32 bytes) over all stores in their new version."""
        for store in self._stores.values():
            store.commit()
        return self.root(self.version)

    def root(self, version: int) -> bytes:
        """The root over all stores in a kept *version*. Raises ``StoreError``."""
        return merkle.root(self._entries(version))

    def prove(self, name: str, key: bytes, version: int) -> bytes:
        """The ``MerkleProof`` that *key* stands in the store *name*.

        Raises ``NotProvable`` or ``StoreError``.
        """
        return self._chained(prove_existence(self[name].tree(version), key), name, version)

    def prove_absent(self, name: str, key: bytes, version: int) -> bytes:
        """The ``MerkleProof`` that nothing stands at *key* in the store *name*.

        Raises ``NotProvable`` or ``StoreError``.
        """
        return self._chained(prove_absence(self[name].tree(version), key), name, version)

    def prove_batch(self, name: str, keys: Sequence[bytes], version: int) -> bytes:
        """The proof batch of *keys*, 1 to 256, strictly rising, in the store *name*.

        Raises ``NotProvable`` or ``StoreError``.
        """
        paths = prove_batch(self[name].tree(version), keys)
        steps = [StoreStep(right, sibling) for right, sibling in self._path(name, version)]
        return encode_batch(steps, paths)

    def _chained(self, lower: ExistenceProof | NonExistenceProof, name: str, version: int) -> bytes:
        path = [
            InnerOp(HashOp.SHA256, _INNER_TAG + sibling, b"")
            if right
            else InnerOp(HashOp.SHA256, _INNER_TAG, sibling)
            for right, sibling in self._path(name, version)
        ]
        root = self[name].root(version)
        upper = ExistenceProof(name.encode(), root, TENDERMINT_SPEC.leaf, tuple(path))
        return encode_merkle_proof([lower, upper])

    def _path(self, name: str, version: int) -> list[tuple[bool, bytes]]:
        return map_path(self._entries(version), list(self._stores).index(name))

    def _entries(self, version: int) -> list[bytes]:
        return [
            map_entry(name.encode(), store.root(version)) for name, store in self._stores.items()
        ]


def map_entry(name: bytes, root: bytes) -> bytes:
    """One entry of the map, a leaf of its tree: a store's *name*, and its *root* hashed."""
    return encode_varint(len(name)) + name + _DIGEST + sha256(root).digest()


def map_path(entries: Sequence[bytes], index: int) -> list[tuple[bool, bytes]]:
    """From the entry at *index* up: whether it stands on the right, and its sibling."""
    siblings = iter(merkle.inclusion_proof(entries, index))
    size = len(entries)
    path: list[tuple[bool, bytes]] = []
    while size > 1:
        # A last node without a sibling goes up as it is.
        if index ^ 1 < size:
            path.append((bool(index & 1), next(siblings)))
        index, size = index >> 1, (size + 1) >> 1
    return path
