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
        return map_root(self._leaves(version))

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
        side_path = map_path(self._leaves(version), list(self._stores).index(name))
        return encode_batch([StoreStep(right, sibling) for right, sibling in side_path], paths)

    def _chained(self, lower: ExistenceProof | NonExistenceProof, name: str, version: int) -> bytes:
        path = tuple(
            [
                InnerOp(HashOp.SHA256, _INNER_TAG + sibling, b"")
                if right
                else InnerOp(HashOp.SHA256, _INNER_TAG, sibling)
                for right, sibling in map_path(
                    self._leaves(version), list(self._stores).index(name)
                )
            ]
        )
        root = self[name].root(version)
        upper = ExistenceProof(name.encode(), root, TENDERMINT_SPEC.leaf, path)
        return encode_merkle_proof([lower, upper])

    def _leaves(self, version: int) -> list[bytes]:
        return [
            map_leaf(name.encode(), store.root(version)) for name, store in self._stores.items()
        ]


def map_leaf(name: bytes, root: bytes) -> bytes:
    """The hash of one entry of the map: a store's *name* and its *root*."""
    return sha256(
        b"\x00" + encode_varint(len(name)) + name + _DIGEST + sha256(root).digest()
    ).digest()


def map_root(leaves: Sequence[bytes]) -> bytes:
    """The root over hashed *leaves*, at least one. Source: RFC 6962 section 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return sha256(_INNER_TAG + map_root(leaves[:split]) + map_root(leaves[split:])).digest()


def map_path(leaves: Sequence[bytes], index: int) -> list[tuple[bool, bytes]]:
    """From the leaf at *index* up: whether it stands on the right, and its sibling."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*map_path(leaves[:split], index), (False, map_root(leaves[split:]))]
    return [*map_path(leaves[split:], index - split), (True, map_root(leaves[:split]))]


def _split(count: int) -> int:
    """The largest power of two below *count*."""
    return 1 << (count - 1).bit_length() - 1
