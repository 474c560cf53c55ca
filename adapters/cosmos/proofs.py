"""Proofs of what stands in a Cosmos chain's IBC store, in the forms that the hub reads.

The header at height H carries the root of the state that block H - 1 left, so that state is asked.
Nothing is verified here, the relayer judges; but a value that its own proof contradicts is a fault
of the node, and found before it is sent.

Source: cosmos-sdk baseapp/abci.go (Query, ``store/{name}/key`` with ``prove``): proof operations
``ics23:iavl``, then ``ics23:simple``; ibc-go 23-commitment types/utils.go (ConvertProofs).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from adapters.sdk.chain import BatchProof, KeyProof
from hub.core.codec.proto import LENGTH, ProtoError, bytes_field, decode_varint, message_field
from hub.core.errors import HeaderNotFound, ProofNotFound, RecordCorrupt
from hub.light_clients.cometbft.header import revision_of
from hub.light_clients.proofs.fold import fold_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.cosmos.rpc.node import CometNode
    from adapters.cosmos.rpc.records import Proven
    from hub.core.height import Height
    from hub.core.ids import ChainId

STORE: Final = "ibc"
PREFIX: Final = (STORE.encode(), b"")
"""A chain's commitment prefix: the store's name, and nothing before the keys in it."""

_EXISTS: Final = 1
_ABSENT: Final = 2
"""Fields of ``ics23.CommitmentProof``."""
_FIRST_PROVABLE: Final = 2
"""Source: baseapp/abci.go, handleQueryStore: the first state is never proven."""


async def prove(node: CometNode, keys: Sequence[bytes], at: Height) -> tuple[KeyProof, ...]:
    """What stands at each of *keys* under the header *at*, each with its whole proof.

    Raises ``HeaderNotFound`` where that state is not there or no longer kept, ``RecordCorrupt``
    where a proof is not of its key and value, or ``ChainUnreachable``.
    """
    proven = await _proven(node, keys, at)
    return tuple([KeyProof(one.value, _chained(one)) for one in proven])


async def prove_batch(node: CometNode, keys: Sequence[bytes], at: Height) -> BatchProof:
    """What stands at *keys*, 1 to 256 and rising, under the header *at*, and the batch of it.

    Raises ``ProofNotFound`` where nothing stands at one, else as ``prove`` and ``fold_batch`` do.
    """
    proven = await _proven(node, keys, at)
    for key, one in zip(keys, proven, strict=True):
        if not one.value:
            raise ProofNotFound(name=f"{node.chain_id} key {key.hex()} under {at}", kind="batch")
    values = tuple([one.value for one in proven])
    leaves = list(zip(keys, values, strict=True))
    proofs = [_chained(one) for one in proven]
    batch = await asyncio.to_thread(fold_batch, PREFIX, leaves, proofs)
    return BatchProof(values, batch)


async def _proven(node: CometNode, keys: Sequence[bytes], at: Height) -> tuple[Proven, ...]:
    state = at.number - 1
    if state < _FIRST_PROVABLE or at.revision != revision_of(node.chain_id):
        raise HeaderNotFound(client=node.chain_id, height=at.number)
    try:
        proven = await node.prove(STORE, keys, state)
    except HeaderNotFound as error:
        raise HeaderNotFound(client=node.chain_id, height=at.number) from error
    for key, one in zip(keys, proven, strict=True):
        _check(node.chain_id, key, one)
    return proven


def _check(chain: ChainId, key: bytes, one: Proven) -> None:
    """The store's proof is of *key* and the value beside it, or of the absence of *key*."""
    field, start = _ABSENT, bytes_field(1, key)
    if one.value:
        field, start = _EXISTS, start + bytes_field(2, one.value)
    proof = one.store_proof
    try:
        tag, at = decode_varint(proof, 0)
        _, at = decode_varint(proof, at)
    except ProtoError:
        tag = at = 0
    if tag != field << 3 | LENGTH or not proof.startswith(start, at):
        stored = one.value.hex() or "nothing"
        raise RecordCorrupt(
            what=f"{chain} key {key.hex()}", stored=stored[:80], computed="another, by its proof"
        )


def _chained(one: Proven) -> bytes:
    """``ibc.core.commitment.v1.MerkleProof``: the store's proof, then that of its root."""
    return message_field(1, one.store_proof) + message_field(1, one.map_proof)
