"""What the chain shows to its adapter: values with proofs, its clients, its anchor.

Proofs end at the root in the header at the *proof height*, which is the root of the state after the
block before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.simchain import client_store
from adapters.simchain.client_store import STORE
from adapters.simchain.store.iavl import StoreError
from adapters.simchain.store.proofs import NotProvable
from hub.core.client import Anchor
from hub.core.errors import ClientNotFound, LimitExceeded, ProofNotFound
from hub.core.paths import client_state_key, counterparty_key
from hub.light_clients.cometbft.client import CLIENT_TYPE
from hub.light_clients.cometbft.header import height_of
from hub.light_clients.proofs.batch_codec import MAX_LEAVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.simchain.chain import Chain
    from hub.core.client import TrustOptions
    from hub.core.height import Height
    from hub.core.ids import ChainId, ClientId

PREFIX: Final = (STORE.encode(), b"")
"""The chain's commitment prefix: the store, and nothing before a key."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What stands at a key, None for nothing, and the whole proof of that."""

    value: bytes | None
    proof: bytes


@dataclass(frozen=True, slots=True)
class ProvenBatch:
    """What stands at each key, and the one proof batch of all."""

    values: tuple[bytes, ...]
    proof: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientView:
    """A light client on the chain, as stored now."""

    client: ClientId
    chain_id: ChainId
    """The chain that it verifies."""
    state: bytes
    counterparty: bytes
    """Empty while none is registered."""
    heights: tuple[int, ...]
    """Numbers of the heights that it has consensus states of, rising."""
    opening: str


def height_at(chain: Chain, number: int) -> Height:
    """The height of the block with that number. Raises ``HeaderNotFound``."""
    return height_of(chain.light_block(number).signed.header)


def prove(chain: Chain, key: bytes, proof_height: int) -> Proven:
    """What stands at *key*, or that nothing does. Raises ``HeaderNotFound``, ``ProofNotFound``."""
    chain.light_block(proof_height)
    version = proof_height - 1
    try:
        value = chain.stores[STORE].get_at(version, key)
        if value is None:
            return Proven(None, chain.stores.prove_absent(STORE, key, version))
        return Proven(value, chain.stores.prove(STORE, key, version))
    except (StoreError, NotProvable) as error:
        raise _not_found(key, proof_height) from error


def prove_batch(chain: Chain, keys: Sequence[bytes], proof_height: int) -> ProvenBatch:
    """What stands at each of *keys*, 1 to 256, strictly rising, all of them present.

    Raises ``HeaderNotFound``, ``LimitExceeded`` or ``ProofNotFound``.
    """
    if not 1 <= len(keys) <= MAX_LEAVES:
        raise LimitExceeded(what="keys of a proof batch", count=len(keys), limit=MAX_LEAVES)
    chain.light_block(proof_height)
    version = proof_height - 1
    try:
        values = [chain.stores[STORE].get_at(version, key) for key in keys]
        present = tuple([value for value in values if value is not None])
        return ProvenBatch(present, chain.stores.prove_batch(STORE, keys, version))
    except (StoreError, NotProvable) as error:
        raise _not_found(keys[0], proof_height) from error


def clients(chain: Chain) -> list[ClientId]:
    """Every light client on the chain, by number."""
    return client_store.client_ids(chain.state, CLIENT_TYPE)


def client_view(chain: Chain, client: ClientId) -> ClientView:
    """The light client with that id. Raises ``ClientNotFound``."""
    state = chain.stores[STORE].get(client_state_key(client))
    if state is None:
        raise ClientNotFound(name=client)
    return ClientView(
        client=client,
        chain_id=client_store.client_state(chain.state, client).chain_id,
        state=state,
        counterparty=chain.stores[STORE].get(counterparty_key(client)) or b"",
        heights=tuple(client_store.heights(chain.state, client)),
        opening=client_store.opening(chain.state, client),
    )


def anchor_at(chain: Chain, number: int, options: TrustOptions) -> Anchor:
    """The anchor of the block with that number, as another operator would write it down.

    Raises ``HeaderNotFound``.
    """
    block = chain.light_block(number)
    return Anchor(
        client_type=CLIENT_TYPE,
        chain_id=chain.config.chain_id,
        height=height_of(block.signed.header),
        header_hash=block.hash,
        next_validators_hash=block.signed.header.next_validators_hash,
        options=options,
        prefix=PREFIX,
    )


def _not_found(key: bytes, proof_height: int) -> ProofNotFound:
    return ProofNotFound(name=f"key {key.hex()} at height {proof_height}", kind="state")
