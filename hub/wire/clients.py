"""Light clients, consensus states and evidence, to protobuf and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.client.v1 import client_pb2 as pb
from ydhub.client.v1 import client_service_pb2 as service

from hub.core.accusation import AccusedSide
from hub.core.client import ClientStatus, ConsensusState
from hub.core.errors import FieldInvalid
from hub.core.time import Timestamp
from hub.wire.anchors import options_to_proto
from hub.wire.headers import (
    decode_header,
    header_from_proto,
    header_to_proto,
    height_from_proto,
    height_to_proto,
)
from hub.wire.times import timestamp_from_proto, timestamp_to_proto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import ChainClient, HubClient
    from hub.ports.clients import Evidence

SIDES = 2
_STATUSES = {
    ClientStatus.PENDING: pb.CLIENT_STATUS_PENDING,
    ClientStatus.ACTIVE: pb.CLIENT_STATUS_ACTIVE,
    ClientStatus.EXPIRED: pb.CLIENT_STATUS_EXPIRED,
    ClientStatus.FROZEN: pb.CLIENT_STATUS_FROZEN,
}


def consensus_state_to_proto(state: ConsensusState) -> pb.ConsensusState:
    """*state* as a message."""
    return pb.ConsensusState(
        height=height_to_proto(state.height),
        header_hash=state.header_hash,
        time=timestamp_to_proto(state.time),
        root=state.root,
        next_validators_hash=state.next_validators_hash,
    )


def consensus_state_from_proto(state: pb.ConsensusState) -> ConsensusState:
    """The consensus state of a message that the hub has sent. Raises ``HeightInvalid``."""
    return ConsensusState(
        height=height_from_proto(state.height),
        header_hash=state.header_hash,
        time=timestamp_from_proto(state.time),
        root=state.root,
        next_validators_hash=state.next_validators_hash,
    )


def hub_client_to_proto(client: HubClient, now: Timestamp) -> pb.Client:
    """The hub's client of a peer's chain, as it stands at *now*."""
    message = pb.Client(
        name=client.name,
        status=_STATUSES[client.status(now)],
        chain_id=client.anchor.chain_id,
        frozen_cause=client.frozen_cause,
        options=options_to_proto(client.anchor.options),
    )
    if client.latest is not None:
        message.latest.CopyFrom(consensus_state_to_proto(client.latest))
        message.expire_time.CopyFrom(timestamp_to_proto(Timestamp(client.expires_at)))
    return message


def chain_client_to_proto(client: ChainClient) -> pb.Client:
    """A client on a peer's chain, as it was proven last; of its newest state only the height.

    Whether it has expired is its own chain's to say, so ACTIVE means no more than not frozen.
    """
    status = ClientStatus.FROZEN if client.is_frozen else ClientStatus.ACTIVE
    message = pb.Client(
        name=client.name,
        status=_STATUSES[status],
        chain_id=client.chain_id,
        counterparty_client=client.counterparty or "",
        options=options_to_proto(client.options),
    )
    message.latest.height.CopyFrom(height_to_proto(client.latest_height))
    return message


def evidence_to_proto(peer: str, evidence: Evidence) -> pb.Evidence:
    """Evidence against the chain of *peer*."""
    return pb.Evidence(
        name=f"peers/{peer}/client/evidence/{evidence.number}",
        reason=evidence.reason,
        record_time=timestamp_to_proto(evidence.recorded_at),
        first=evidence.first,
        second=evidence.second,
        carried_to=[f"peers/{owner}/clients/{client}" for owner, client in evidence.carried_to],
    )


def evidence_bundle_to_proto(
    peer: str, evidence: Evidence, sides: Sequence[AccusedSide]
) -> service.GetEvidenceResponse:
    """Evidence against the chain of *peer*, with what leads to both *sides*, or to none."""
    message = service.GetEvidenceResponse(
        evidence=evidence_to_proto(peer, evidence),
        next_validators=[side.next_validators for side in sides],
    )
    chains = (message.first_chain, message.second_chain)
    for side, chain in zip(sides, chains, strict=False):
        chain.extend([header_to_proto(header) for header in side.chain])
    return message


def accused_sides(message: service.GetEvidenceResponse) -> tuple[AccusedSide, AccusedSide]:
    """Both sides of an untrusted bundle. Raises ``FieldInvalid`` where they are not two headers."""
    if len(message.next_validators) != SIDES:
        raise FieldInvalid(field="next_validators", problem=f"are not {SIDES}")
    found = [
        AccusedSide(
            header=decode_header(content),
            chain=tuple([header_from_proto(header) for header in chain]),
            next_validators=validators,
        )
        for content, chain, validators in zip(
            (message.evidence.first, message.evidence.second),
            (message.first_chain, message.second_chain),
            message.next_validators,
            strict=True,
        )
    ]
    return found[0], found[1]
