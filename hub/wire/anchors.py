"""Anchors, to protobuf and back: a starting point of trust, as an operator wrote it down."""

from __future__ import annotations

from ydhub.client.v1 import client_pb2 as pb

from hub.core.client import Anchor, Fraction, TrustOptions, check_anchor
from hub.core.errors import FieldInvalid
from hub.core.ids import parse_chain_id
from hub.wire.headers import height_from_proto, height_to_proto
from hub.wire.times import duration_from_proto, duration_to_proto

MAX_CLIENT_TYPE = 64
"""Characters."""


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
