"""Whether a proof bundle shows what it claims, judged by the operator's own anchors alone.

Nothing that the bundle brings is believed: its headers are verified from the anchor on, its proofs
under the roots of those headers, and its keys and values are computed anew from the packet.

Source: design section 1 (no trust anchor ever comes from the hub) and section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.core.commitment import commit_acknowledgement, commit_packet
from hub.core.errors import (
    ConsensusStateMissing,
    FieldInvalid,
    LimitExceeded,
    MembershipNotProven,
    TimeoutNotReached,
)
from hub.core.paths import acknowledgement_key, commitment_key, receipt_key
from hub.core.time import whole_seconds
from hub.light_clients.interface import NeedsBisection
from hub.light_clients.router import light_client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.client import Anchor, ConsensusState, Header
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey
    from hub.core.packet import Acknowledgement, Packet
    from hub.core.standing import ProvenClaim
    from hub.core.time import Timestamp
    from hub.light_clients.interface import LightClient

MAX_CHAIN: Final = 256
"""Headers of one claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedBundle:
    """An untrusted bundle: a packet of a lane, how it is said to have ended, and the claims."""

    lane: LaneKey
    packet: Packet
    acknowledgement: Acknowledgement | None
    """None claims that the packet was not received in time, where there is an outcome."""
    commitment: ProvenClaim
    outcome: ProvenClaim | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBundle:
    """What a bundle shows."""

    committed: ConsensusState
    """Under its root the source has committed to the packet."""
    ended: ConsensusState | None
    """Under its root the destination has acknowledged it, or not received it in time."""


def verify_bundle(
    bundle: ClaimedBundle, anchors: Mapping[PeerId, Anchor], *, as_of: Timestamp
) -> VerifiedBundle:
    """What *bundle* shows, from *anchors*, as of a time (ns).

    Raises ``FieldInvalid`` where an anchor is missing or a claim is about something else,
    ``AnchorMismatch``, ``TrustExpired``, ``NotEnoughTrust``, ``TimeoutNotReached``, or as the light
    clients' ``verify_header``, ``verify_membership`` and ``verify_non_membership``.
    """
    lane, packet = bundle.lane, bundle.packet
    clients = (packet.source_client, packet.destination_client)
    if clients != (lane.source_client, lane.destination_client):
        raise FieldInvalid(field="packet", problem=f"is not of {lane.name}")
    claim = bundle.commitment
    _check_claim(
        claim,
        "commitment",
        peer=lane.source_peer,
        key=commitment_key(packet.source_client, packet.sequence),
        value=commit_packet(packet),
    )
    committed = verify_claim(_anchor(anchors, claim.peer), claim, as_of=as_of)
    if bundle.outcome is None:
        return VerifiedBundle(committed=committed, ended=None)
    ended = _verify_outcome(bundle, bundle.outcome, anchors, as_of)
    return VerifiedBundle(committed=committed, ended=ended)


def verify_claim(anchor: Anchor, claim: ProvenClaim, *, as_of: Timestamp) -> ConsensusState:
    """The state under whose root *claim* holds, from *anchor*, as of a time (ns).

    Raises as ``verify_bundle``.
    """
    client = light_client(anchor.client_type)
    state = verify_chain(client, anchor, claim.headers, as_of)
    if state.height != claim.proof_height:
        raise ConsensusStateMissing(client=f"peers/{claim.peer}", height=claim.proof_height.number)
    check_proof(client, anchor, state, claim)
    return state


def check_proof(
    client: LightClient, anchor: Anchor, state: ConsensusState, claim: ProvenClaim
) -> None:
    """The proof of *claim* ends at the root of *state*. Raises as ``verify_membership``."""
    if claim.value:
        client.verify_membership(state.root, anchor.prefix, claim.key, claim.value, claim.proof)
    else:
        client.verify_non_membership(state.root, anchor.prefix, claim.key, claim.proof)


def _verify_outcome(
    bundle: ClaimedBundle,
    claim: ProvenClaim,
    anchors: Mapping[PeerId, Anchor],
    as_of: Timestamp,
) -> ConsensusState:
    packet = bundle.packet
    client, sequence = packet.destination_client, packet.sequence
    answered = bundle.acknowledgement
    if answered is None:
        key, value = receipt_key(client, sequence), b""
    else:
        key, value = acknowledgement_key(client, sequence), commit_acknowledgement(answered)
    peer = bundle.lane.destination_peer
    _check_claim(claim, "outcome", peer=peer, key=key, value=value)
    state = verify_claim(_anchor(anchors, peer), claim, as_of=as_of)
    at = whole_seconds(state.time)
    if answered is None and at < packet.timeout_timestamp:
        raise TimeoutNotReached(timeout=packet.timeout_timestamp, time=at)
    return state


def verify_chain(
    client: LightClient, anchor: Anchor, headers: Sequence[Header], as_of: Timestamp
) -> ConsensusState:
    """The state of the last of *headers*, each following from the one before, from *anchor* on.

    Raises ``LimitExceeded``, or as ``verify_bundle`` of headers.
    """
    if not 1 <= len(headers) <= MAX_CHAIN:
        raise LimitExceeded(what="headers of a claim", count=len(headers), limit=MAX_CHAIN)
    sets = {client.hash_validators(header.validators): header.validators for header in headers}
    start = _start(client, anchor, headers)
    trusted = client.trust_anchor(anchor, headers[start])
    for header in headers[start + 1 :]:
        validators = sets.get(trusted.next_validators_hash, header.validators)
        verdict = client.verify_header(anchor, trusted, validators, header, now=as_of)
        if isinstance(verdict, NeedsBisection):
            raise verdict.shortfall
        trusted = verdict.state
    return trusted


def _start(client: LightClient, anchor: Anchor, headers: Sequence[Header]) -> int:
    """The place of the last of *headers* that *anchor* names, or 0."""
    for at in range(len(headers) - 1, 0, -1):
        if client.read_header(headers[at]).header_hash == anchor.header_hash:
            return at
    return 0


def _check_claim(claim: ProvenClaim, field: str, *, peer: PeerId, key: bytes, value: bytes) -> None:
    """The claim is about what the packet says. Raises ``FieldInvalid``, ``MembershipNotProven``."""
    if claim.peer != peer:
        raise FieldInvalid(field=f"{field}.peer", problem=f"is not peers/{peer}")
    if claim.key != key:
        raise FieldInvalid(field=f"{field}.key", problem="is not the packet's")
    if claim.value != value:
        raise MembershipNotProven(key=key.hex(), problem="the claim is for another value")


def _anchor(anchors: Mapping[PeerId, Anchor], peer: PeerId) -> Anchor:
    if peer not in anchors:
        raise FieldInvalid(field="anchor", problem=f"of peers/{peer} is not given")
    return anchors[peer]
