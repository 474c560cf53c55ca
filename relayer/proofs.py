"""Proofs of frames, as the registry keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import RecordCorrupt

if TYPE_CHECKING:
    from hub.core.record import StoredProof
    from hub.ports.registry import Registry


async def stored_proof(registry: Registry, proof_id: int) -> StoredProof:
    """The proof of a frame. Raises ``RecordCorrupt`` where its packets are kept without it."""
    found = (await registry.packets.proofs([proof_id])).get(proof_id)
    if found is None:
        raise RecordCorrupt(what=f"proof {proof_id}", stored="nothing", computed="a proof")
    return found
