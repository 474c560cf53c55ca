"""Rows of the registry as records, and records as rows."""

from __future__ import annotations

from hashlib import sha256
from sys import intern
from typing import TYPE_CHECKING, Any

from hub.core.client import (
    Anchor,
    ChainClient,
    ConsensusState,
    Fraction,
    Header,
    HubClient,
    TrustOptions,
    VerifiedHeader,
)
from hub.core.height import Height
from hub.core.ids import ClientId, PeerId
from hub.core.lane import (
    Lane,
    LaneKey,
    LaneSide,
    LaneState,
    Order,
    RateLimit,
    Route,
    RouteAction,
    RouteKey,
)
from hub.core.peer import Peer, PeerState
from hub.core.time import Duration
from hub.ports.lanes import Opening, OpeningPlan, OpeningState
from hub.registry.moments import timestamp
from hub.registry.multirange import from_text

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = Any
"""A row of SQLAlchemy or of the driver; its columns are typed by the tables."""


def options_values(options: TrustOptions) -> dict[str, int]:
    """The columns of *options*."""
    return {
        "trust_numerator": options.trust_level.numerator,
        "trust_denominator": options.trust_level.denominator,
        "trusting_period": options.trusting_period,
        "max_clock_drift": options.max_clock_drift,
    }


def options_of(row: Row) -> TrustOptions:
    """The trust options in *row*."""
    return TrustOptions(
        trust_level=Fraction(row.trust_numerator, row.trust_denominator),
        trusting_period=row.trusting_period,
        max_clock_drift=row.max_clock_drift,
    )


def anchor_values(anchor: Anchor) -> dict[str, object]:
    """The columns of *anchor*."""
    return {
        "client_type": anchor.client_type,
        "chain_id": anchor.chain_id,
        "anchor_revision": anchor.height.revision,
        "anchor_height": anchor.height.number,
        "header_hash": anchor.header_hash,
        "next_validators_hash": anchor.next_validators_hash,
        "prefix": list(anchor.prefix),
        **options_values(anchor.options),
    }


def anchor_of(row: Row) -> Anchor:
    """The anchor in a row of ``hub_clients``."""
    return Anchor(
        client_type=row.client_type,
        chain_id=row.chain_id,
        height=Height(row.anchor_revision, row.anchor_height),
        header_hash=row.header_hash,
        next_validators_hash=row.next_validators_hash,
        options=options_of(row),
        prefix=tuple(row.prefix),
    )


def peer_of(row: Row) -> Peer:
    """The peer in a row of ``peers`` joined with ``hub_clients``."""
    return Peer(
        peer=row.peer,
        display_name=row.display_name,
        state=PeerState(row.state),
        anchor=anchor_of(row),
        created_at=timestamp(row.created_at),
        revision=row.revision,
        suspend_cause=row.suspend_cause,
    )


def hub_client_of(row: Row, latest: ConsensusState | None) -> HubClient:
    """The hub client in a row of ``hub_clients``; *latest* counts only from its anchor on."""
    is_behind = latest is not None and latest.height.number < row.anchor_height
    return HubClient(
        peer=row.peer,
        anchor=anchor_of(row),
        is_frozen=row.frozen_at is not None,
        frozen_cause=row.frozen_cause,
        latest=None if is_behind else latest,
        verified_height=latest.height.number if latest is not None else 0,
    )


def state_of(row: Row) -> ConsensusState:
    """What a row of ``headers`` keeps."""
    return ConsensusState(
        height=Height(row.revision, row.height),
        header_hash=row.header_hash,
        time=row.time,
        root=row.root,
        next_validators_hash=row.next_validators_hash,
    )


def header_of(row: Row) -> VerifiedHeader:
    """The header in a row of ``headers`` with its set's bytes as ``validators``."""
    header = Header(content=row.content, validators=row.validators)
    return VerifiedHeader(header=header, state=state_of(row))


def chain_client_values(client: ChainClient) -> dict[str, object]:
    """The columns of *client*."""
    return {
        "peer": client.peer,
        "client": client.client,
        "chain_id": client.chain_id,
        "latest_revision": client.latest_height.revision,
        "latest_height": client.latest_height.number,
        "is_frozen": client.is_frozen,
        "counterparty": client.counterparty,
        "counterparty_prefix": list(client.counterparty_prefix),
        **options_values(client.options),
    }


def chain_client_of(row: Row) -> ChainClient:
    """The mirror in a row of ``chain_clients``."""
    return ChainClient(
        peer=row.peer,
        client=row.client,
        chain_id=row.chain_id,
        latest_height=Height(row.latest_revision, row.latest_height),
        is_frozen=row.is_frozen,
        options=options_of(row),
        counterparty=row.counterparty,
        counterparty_prefix=tuple(row.counterparty_prefix),
    )


def lane_of(row: Mapping[Any, Any]) -> Lane:
    """The lane in a row of ``lanes``, by column."""
    return Lane(
        lane_id=row["lane_id"],
        key=LaneKey(
            PeerId(intern(row["source_peer"])),
            ClientId(intern(row["source_client"])),
            PeerId(intern(row["destination_peer"])),
            ClientId(intern(row["destination_client"])),
        ),
        state=LaneState(row["state"]),
        order=Order(row["ordering"]),
        first_sequence=row["first_sequence"],
        pause_cause=row["pause_cause"],
        created_at=timestamp(row["created_at"]),
        revision=row["revision"],
    )


def side_of(row: Mapping[str, Any], end: str) -> LaneSide:
    """The side in the columns of *row* that begin with *end*, its sets as text."""
    return LaneSide(
        epoch=row[f"{end}_epoch"],
        gate=row[f"{end}_gate"],
        done=from_text(row[f"{end}_done"]),
        progress=from_text(row[f"{end}_progress"]),
        outcome_count=row[f"{end}_outcome_count"],
        reopened_count=row[f"{end}_reopened_count"],
    )


def route_values(route: Route) -> dict[str, object]:
    """The policy columns of *route*."""
    return {
        "action": route.action,
        "data_class": route.data_class,
        "purpose": route.purpose,
        "max_payload_bytes": route.max_payload_bytes,
        "max_timeout": route.max_timeout,
    }


def route_of(row: Row) -> Route:
    """The route in a row of ``routes`` with its lane's name as ``lane_name``."""
    return Route(
        key=RouteKey(LaneKey.parse(row.lane_name), row.source_port, row.destination_port),
        action=RouteAction(row.action),
        data_class=row.data_class,
        purpose=row.purpose,
        max_payload_bytes=row.max_payload_bytes,
        max_timeout=row.max_timeout,
        limit=limit_of(row),
    )


def limit_values(limit: RateLimit | None) -> dict[str, int]:
    """The columns of *limit*."""
    return {
        "limit_packets": limit.packets if limit else 0,
        "limit_period": limit.period if limit else 0,
        "limit_burst": limit.burst if limit else 0,
    }


def limit_of(row: Row) -> RateLimit | None:
    """The limit in a row of ``routes``; None where it has none."""
    if not row.limit_packets:
        return None
    period = Duration(row.limit_period)
    return RateLimit(packets=row.limit_packets, period=period, burst=row.limit_burst)


def plan_values(plan: OpeningPlan) -> dict[str, object]:
    """The columns of *plan*."""
    return {
        "plan": sha256(repr(plan).encode()).digest(),
        "source": plan.source,
        "destination": plan.destination,
        "source_client": plan.source_client,
        "destination_client": plan.destination_client,
        "from_sequence": plan.from_sequence,
        "ordering": plan.order,
        "allow_routes": ["~".join(ports) for ports in plan.allow_routes],
    }


def opening_of(row: Row) -> Opening:
    """The opening in a row of ``lane_openings``."""
    routes = [ports.partition("~") for ports in row.allow_routes]
    plan = OpeningPlan(
        source=row.source,
        destination=row.destination,
        source_client=row.source_client,
        destination_client=row.destination_client,
        from_sequence=row.from_sequence,
        order=Order(row.ordering),
        allow_routes=tuple([(source, destination) for source, _, destination in routes]),
    )
    return Opening(
        number=row.number,
        plan=plan,
        state=OpeningState(row.state),
        step=row.step,
        reason=row.reason,
        detail=row.detail,
        lanes=tuple([LaneKey.parse(name) for name in row.lanes]),
    )
