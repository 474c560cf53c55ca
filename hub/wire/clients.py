"""Light clients: anchors, consensus states, headers and evidence, to protobuf and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.client.v1 import client_pb2 as pb

from hub.core.client import (
    Anchor,
    ClientStatus,
    ConsensusState,
    Fraction,
    Header,
    TrustOptions,
    check_anchor,
)
from hub.core.errors import FieldInvalid
from hub.core.height import Height
from hub.core.ids import parse_chain_id
from hub.core.time import Timestamp
from hub.wire.times import (
    duration_from_proto,
    duration_to_proto,
    timestamp_from_proto,
    timestamp_to_proto,
)

if TYPE_CHECKING:
    from hub.core.client import ChainClient, HubClient
    from hub.ports.clients import Evidence

MAX_CLIENT_TYPE = 64
"""Characters."""

_STATUSES = {
    ClientStatus.PENDING: pb.CLIENT_STATUS_PENDING,
    ClientStatus.ACTIVE: pb.CLIENT_STATUS_ACTIVE,
    ClientStatus.EXPIRED: pb.CLIENT_STATUS_EXPIRED,
    ClientStatus.FROZEN: pb.CLIENT_STATUS_FROZEN,
}


def anchor_from_proto(anchor: pb.Anchor, field: str) -> Anchor:
    """The anchor of a request, able to start a client; *field* is its path there.

    Raises ``FieldInvalid``, ``HeightInvalid``, ``IdentifierInvalid`` or ``AnchorInvalid``.
    """
    if not 1 <= len(anchor.client_type) <= MAX_CLIENT_TYPE:
        raise FieldInvalid(field=f"{field}.client_type", problem="is missing or too long")
    options = anchor.options
    found = Anchor(
        client_type=anchor.client_type,
        chain_id=parse_chain_id(anchor.chain_id),
        height=height_from_proto(anchor.height),
        header_hash=anchor.header_hash,
        next_validators_hash=anchor.next_validators_hash,
        options=TrustOptions(
            trust_level=Fraction(options.trust_level_numerator, options.trust_level_denominator),
            trusting_period=duration_from_proto(
                options.trusting_period, f"{field}.options.trusting_period"
            ),
            max_clock_drift=duration_from_proto(
                options.max_clock_drift, f"{field}.options.max_clock_drift"
            ),
        ),
        prefix=tuple(anchor.prefix),
    )
    check_anchor(found)
    return found


def anchor_to_proto(anchor: Anchor) -> pb.Anchor:
    """*anchor* as a message."""
    return pb.Anchor(
        client_type=anchor.client_type,
        chain_id=anchor.chain_id,
        height=height_to_proto(anchor.height),
        header_hash=anchor.header_hash,
        next_validators_hash=anchor.next_validators_hash,
        options=options_to_proto(anchor.options),
        prefix=anchor.prefix,
    )


def options_to_proto(options: TrustOptions) -> pb.TrustOptions:
    """*options* as a message."""
    return pb.TrustOptions(
        trust_level_numerator=options.trust_level.numerator,
        trust_level_denominator=options.trust_level.denominator,
        trusting_period=duration_to_proto(options.trusting_period),
        max_clock_drift=duration_to_proto(options.max_clock_drift),
    )


def height_from_proto(height: pb.Height) -> Height:
    """The height of a message. Raises ``HeightInvalid``."""
    return Height.parse(height.revision, height.number)


def height_to_proto(height: Height) -> pb.Height:
    """*height* as a message."""
    return pb.Height(revision=height.revision, number=height.number)


def header_from_proto(header: pb.Header) -> Header:
    """The untrusted header of a message."""
    return Header(content=header.content, validators=header.validators)


def header_to_proto(header: Header) -> pb.Header:
    """*header* as a message."""
    return pb.Header(content=header.content, validators=header.validators)


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
    )
