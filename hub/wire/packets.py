"""Records of packets, their stories and their proof bundles, to protobuf and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.packet.v1 import packet_pb2 as pb
from ydhub.packet.v1 import packet_service_pb2 as service

from hub.core.commitment import commit_packet
from hub.core.errors import FieldInvalid
from hub.core.height import MAX_HEIGHT
from hub.core.lifecycle import PacketState
from hub.core.record import ExceptionKind, OutcomeKind
from hub.core.standing import ProvenClaim
from hub.wire.headers import header_from_proto, header_to_proto, height_from_proto, height_to_proto
from hub.wire.names import parse_peer_name
from hub.wire.packet import decode_packet
from hub.wire.times import timestamp_to_proto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey
    from hub.core.record import PacketException
    from hub.core.standing import PacketStanding, PacketStory, ProofBundle, StoryEvent

MAX_STARTS = 16
"""A packet has two ends; a caller may hold anchors of a few more."""

_STATES = {
    PacketState.ACCEPTED: pb.PACKET_STATE_ACCEPTED,
    PacketState.DENIED: pb.PACKET_STATE_DENIED,
    PacketState.DELIVERED: pb.PACKET_STATE_DELIVERED,
    PacketState.ACKNOWLEDGED: pb.PACKET_STATE_ACKNOWLEDGED,
    PacketState.COMPLETED: pb.PACKET_STATE_COMPLETED,
    PacketState.TIMED_OUT: pb.PACKET_STATE_TIMED_OUT,
    PacketState.REFUNDED: pb.PACKET_STATE_REFUNDED,
    PacketState.SETTLED_ELSEWHERE: pb.PACKET_STATE_SETTLED_ELSEWHERE,
}
_STATES_READ = {number: state for state, number in _STATES.items()}
_KINDS = {
    ExceptionKind.HOLE: pb.PacketException.KIND_HOLE,
    ExceptionKind.RETRY: pb.PacketException.KIND_RETRY,
    ExceptionKind.HELD: pb.PacketException.KIND_HELD,
    ExceptionKind.PARKED: pb.PacketException.KIND_PARKED,
    ExceptionKind.DENIED: pb.PacketException.KIND_DENIED,
}
_KINDS_READ = {number: kind for kind, number in _KINDS.items()}


def state_from_proto(state: pb.PacketState.ValueType) -> PacketState | None:
    """The state that a list is narrowed to; None for all. Raises ``FieldInvalid``."""
    if state == pb.PACKET_STATE_UNSPECIFIED:
        return None
    found = _STATES_READ.get(state)
    if found is None:
        raise FieldInvalid(field="state", problem="is unknown")
    return found


def kind_from_proto(kind: pb.PacketException.Kind.ValueType) -> ExceptionKind | None:
    """The kind of exception that a list is narrowed to; None for any. Raises ``FieldInvalid``."""
    if kind == pb.PacketException.KIND_UNSPECIFIED:
        return None
    found = _KINDS_READ.get(kind)
    if found is None:
        raise FieldInvalid(field="exception", problem="is unknown")
    return found


def kind_to_proto(kind: ExceptionKind) -> pb.PacketException.Kind.ValueType:
    """*kind* on the wire."""
    return _KINDS[kind]


def place_to_name(key: LaneKey, sequence: int) -> str:
    """``lanes/{lane}/packets/{sequence}``."""
    return f"{key.name}/packets/{sequence}"


def listed_to_proto(
    key: LaneKey,
    sequence: int,
    standing: PacketStanding | None,
    exception: PacketException | None,
) -> pb.PacketRecord:
    """The record of a packet of a list; of a hole no more than its name and its exception."""
    name = place_to_name(key, sequence)
    message = record_to_proto(standing) if standing is not None else pb.PacketRecord(name=name)
    if exception is not None:
        message.exception.CopyFrom(_exception(exception))
    return message


def record_to_proto(standing: PacketStanding) -> pb.PacketRecord:
    """The record of a packet, its commitment computed anew from its contents."""
    message = pb.PacketRecord(
        name=standing.name,
        state=_STATES[standing.state],
        proof_height=standing.proof_height,
        outcome_height=standing.outcome_height,
    )
    stored, outcome = standing.stored, standing.outcome
    if stored is not None:
        message.packet.MergeFromString(stored.content)
        message.commitment = commit_packet(decode_packet(stored.content))
        message.accept_time.CopyFrom(timestamp_to_proto(stored.accepted_at))
    if outcome is not None:
        message.outcome_time.CopyFrom(timestamp_to_proto(outcome.recorded_at))
        if outcome.kind is OutcomeKind.ACKNOWLEDGEMENT:
            message.acknowledgement.MergeFromString(outcome.content)
    if standing.exception is not None:
        message.exception.CopyFrom(_exception(standing.exception))
    return message


def story_to_proto(story: PacketStory) -> service.ExplainPacketResponse:
    """A packet's story."""
    return service.ExplainPacketResponse(
        packet=record_to_proto(story.standing),
        events=[_event(event) for event in story.events],
        waiting_for=story.waiting_for,
    )


def bundle_to_proto(bundle: ProofBundle) -> service.GetPacketProofResponse:
    """A proof bundle."""
    message = service.GetPacketProofResponse(
        packet=record_to_proto(bundle.standing), commitment=_claim(bundle.commitment)
    )
    if bundle.outcome is not None:
        message.outcome.CopyFrom(_claim(bundle.outcome))
    return message


def starts_from_proto(starts: Sequence[service.ChainStart]) -> dict[PeerId, int]:
    """Heights that a caller trusts, by peer. Raises ``FieldInvalid`` or ``IdentifierInvalid``."""
    if len(starts) > MAX_STARTS:
        raise FieldInvalid(field="starts", problem=f"has more than {MAX_STARTS} entries")
    found: dict[PeerId, int] = {}
    for at, start in enumerate(starts):
        if not 1 <= start.height <= MAX_HEIGHT:
            raise FieldInvalid(field=f"starts[{at}].height", problem="is not a height")
        found[parse_peer_name(start.peer)] = start.height
    return found


def claim_from_proto(claim: service.ProvenClaim) -> ProvenClaim:
    """An untrusted claim. Raises ``IdentifierInvalid`` or ``HeightInvalid``."""
    return ProvenClaim(
        peer=parse_peer_name(claim.peer),
        headers=tuple([header_from_proto(header) for header in claim.headers]),
        proof_height=height_from_proto(claim.proof_height),
        key=claim.key,
        value=claim.value,
        proof=claim.proof,
    )


def _claim(claim: ProvenClaim) -> service.ProvenClaim:
    return service.ProvenClaim(
        peer=f"peers/{claim.peer}",
        headers=[header_to_proto(header) for header in claim.headers],
        proof_height=height_to_proto(claim.proof_height),
        key=claim.key,
        value=claim.value,
        proof=claim.proof,
    )


def _exception(exception: PacketException) -> pb.PacketException:
    message = pb.PacketException(
        kind=_KINDS[exception.kind],
        reason=exception.reason,
        detail=exception.detail,
        attempts=exception.attempts,
    )
    if exception.next_attempt_at is not None:
        message.next_attempt_time.CopyFrom(timestamp_to_proto(exception.next_attempt_at))
    if exception.since:
        message.since_time.CopyFrom(timestamp_to_proto(exception.since))
    return message


def _event(event: StoryEvent) -> service.PacketEvent:
    message = service.PacketEvent(
        event=event.event, detail=event.detail, proof_height=event.proof_height
    )
    if event.at is not None:
        message.time.CopyFrom(timestamp_to_proto(event.at))
    return message
