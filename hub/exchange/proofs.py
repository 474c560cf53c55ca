"""Make a packet's proof bundle: what shows it, and how it ended, without trust in the hub.

A frame's proof batch is expanded to the packet's own proof, and headers lead to its root from the
hub's anchor, or from a height that the caller trusts; as few as the light client allows. Every
claim is verified here before it is handed out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import ProofNotFound
from hub.core.paths import acknowledgement_key, commitment_key, receipt_key
from hub.core.ranges import RangeSet
from hub.core.record import OutcomeKind
from hub.core.standing import ProofBundle, ProvenClaim
from hub.exchange import story
from hub.exchange.claims import check_proof
from hub.exchange.header_chain import header_chain, lowest_start
from hub.exchange.reading import in_parts
from hub.light_clients.proofs.expand import expand_batch
from hub.light_clients.router import light_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey
    from hub.core.packet import Acknowledgement, Packet
    from hub.core.record import StoredOutcome, StoredPacket, StoredProof
    from hub.core.standing import PacketStanding
    from hub.ports.registry import Registry

MAX_LEAVES: Final = 256
"""Leaves of one proof batch."""
_WINDOWS: Final = (MAX_LEAVES, 4 * MAX_LEAVES, 16 * MAX_LEAVES)
"""How far around a packet the others of its frame are looked for: they nearly always adjoin."""

_Leaf = tuple[int, bytes]
"""A sequence, and the commitment that a batch shows for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoders:
    """How canonical bytes are read: the wire's business, handed in. Both raise ``HubError``."""

    packet: Callable[[bytes], Packet]
    acknowledgement: Callable[[bytes], Acknowledgement]


async def fetch(
    registry: Registry,
    key: LaneKey,
    sequence: int,
    starts: Mapping[PeerId, int],
    decoders: Decoders,
) -> ProofBundle:
    """The bundle of the packet; *starts* are heights that the caller trusts, by peer.

    Raises ``LaneNotFound``, ``PacketNotFound``, ``ProofNotFound``, ``HeaderNotFound``,
    ``SequenceRetired``.
    """
    standing = await story.get(registry, key, sequence)
    stored, outcome = standing.stored, standing.outcome
    if stored is None:
        raise ProofNotFound(name=standing.name, kind="commitment")
    lane_id = (await registry.lanes.get(key)).lane_id
    maker = _Maker(registry, standing, lane_id, decoders)
    commitment = await maker.commitment(stored, starts)
    if outcome is None or outcome.kind is OutcomeKind.SETTLED_ELSEWHERE:
        return ProofBundle(standing=standing, commitment=commitment, outcome=None)
    ended = await maker.outcome(outcome, starts)
    return ProofBundle(standing=standing, commitment=commitment, outcome=ended)


class _Maker:
    """Makes the claims of one packet."""

    def __init__(
        self, registry: Registry, standing: PacketStanding, lane_id: int, decoders: Decoders
    ) -> None:
        self._registry = registry
        self._standing = standing
        self._key = standing.lane
        self._lane_id = lane_id
        self._decoders = decoders

    async def commitment(self, stored: StoredPacket, starts: Mapping[PeerId, int]) -> ProvenClaim:
        """The source's commitment to the packet."""
        proof = await self._proof(stored.proof_id, "commitment")
        leaves = await self._packet_leaves(stored, proof)
        client = self._key.source_client
        keyed = [(commitment_key(client, sequence), value) for sequence, value in leaves]
        at = [sequence for sequence, _ in leaves].index(stored.sequence)
        return await self._claim(self._key.source_peer, keyed, at, proof, starts)

    async def outcome(self, outcome: StoredOutcome, starts: Mapping[PeerId, int]) -> ProvenClaim:
        """The destination's acknowledgement of the packet, or the absence of its receipt."""
        proof = await self._proof(outcome.proof_id, "outcome")
        client, peer = self._key.destination_client, self._key.destination_peer
        if outcome.kind is OutcomeKind.ABSENCE:
            key = receipt_key(client, outcome.sequence)
            return await self._claim(peer, [(key, b"")], 0, proof, starts)
        leaves = await self._outcome_leaves(outcome, proof)
        keyed = [(acknowledgement_key(client, sequence), value) for sequence, value in leaves]
        at = [sequence for sequence, _ in leaves].index(outcome.sequence)
        return await self._claim(peer, keyed, at, proof, starts)

    async def _packet_leaves(self, stored: StoredPacket, proof: StoredProof) -> list[_Leaf]:
        lane = await self._registry.lanes.view(self._lane_id)
        for window in _WINDOWS:
            near = _around(lane.source.done, stored.sequence, window)
            own = await self._registry.packets.under_proof(self._lane_id, stored.proof_id, near)
            if not _are_all(own, proof):
                continue
            parts = in_parts(self._registry.packets.read, self._lane_id, own)
            return _with_skipped(
                [
                    (one.sequence, commit_packet(self._decoders.packet(one.content)))
                    async for part in parts
                    for one in part
                ],
                proof,
            )
        raise ProofNotFound(name=self._standing.name, kind="commitment")

    async def _outcome_leaves(self, outcome: StoredOutcome, proof: StoredProof) -> list[_Leaf]:
        # The outcomes of one frame have neighbouring indexes: they were recorded in one piece.
        first, end = outcome.outcome_index - MAX_LEAVES, outcome.outcome_index + MAX_LEAVES
        near = RangeSet.span(max(0, first), end)
        own = await self._registry.outcomes.under_proof(self._lane_id, outcome.proof_id, near)
        if not _are_all(own, proof):
            raise ProofNotFound(name=self._standing.name, kind="outcome")
        parts = in_parts(self._registry.outcomes.read, self._lane_id, own, "outcome_index")
        decode = self._decoders.acknowledgement
        return _with_skipped(
            [
                (one.sequence, commit_acknowledgement(decode(one.content)))
                async for part in parts
                for one in part
            ],
            proof,
        )

    async def _proof(self, proof_id: int, kind: str) -> StoredProof:
        proofs = await self._registry.packets.proofs([proof_id])
        if proof_id not in proofs:
            raise ProofNotFound(name=self._standing.name, kind=kind)
        return proofs[proof_id]

    async def _claim(
        self,
        peer: PeerId,
        leaves: Sequence[tuple[bytes, bytes]],
        at: int,
        stored: StoredProof,
        starts: Mapping[PeerId, int],
    ) -> ProvenClaim:
        """The claim of the leaf *at* its place, verified."""
        anchor = (await self._registry.clients.hub_client(peer)).anchor
        proof = stored.proof
        start = starts.get(peer) or await lowest_start(self._registry, peer, anchor, proof.height)
        chain = await header_chain(self._registry, peer, anchor, start, proof.height)
        key, value = leaves[at]
        content = proof.content
        if value:
            expanded = await asyncio.to_thread(expand_batch, anchor.prefix, leaves, content)
            content = expanded[at]
        state = chain[-1].state
        claim = ProvenClaim(
            peer=peer,
            headers=tuple([verified.header for verified in chain]),
            proof_height=state.height,
            key=key,
            value=value,
            proof=content,
        )
        await asyncio.to_thread(check_proof, light_client(anchor.client_type), anchor, state, claim)
        return claim


def _are_all(own: RangeSet, stored: StoredProof) -> bool:
    """Whether *own* are all leaves of the batch that are stored as facts."""
    return len(own) + len(stored.proof.skipped) == stored.proof.leaf_count


def _with_skipped(own: Sequence[_Leaf], stored: StoredProof) -> list[_Leaf]:
    """All leaves of the batch, by sequence."""
    skipped = [(leaf.sequence, leaf.commitment) for leaf in stored.proof.skipped]
    return sorted([*own, *skipped])


def _around(done: RangeSet, sequence: int, window: int) -> RangeSet:
    """*sequence*, and at most *window* of *done* on each side of it."""
    above = (done & RangeSet.span(sequence, done.end)).take(window + 1)
    below: list[tuple[int, int]] = []
    left = window
    for low, high in reversed((done & RangeSet.span(0, sequence)).ranges):
        if left <= 0:
            break
        taken = min(left, high - low)
        below.append((high - taken, high))
        left -= taken
    return RangeSet(tuple(reversed(below))) | above
