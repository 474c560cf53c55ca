"""Lanes, openings and routes, to protobuf and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ydhub.lane.v1 import lane_pb2 as pb
from ydhub.lane.v1 import lane_service_pb2 as service

from hub.core.errors import FieldInvalid
from hub.core.ids import parse_client_id, parse_port_id
from hub.core.lane import LaneState, Order, RateLimit, Route, RouteAction
from hub.core.packet import MAX_PAYLOAD_BYTES, MAX_SEQUENCE
from hub.core.time import MILLISECOND, SECOND
from hub.ports.lanes import OpeningPlan, OpeningState
from hub.wire.names import parse_peer_name, parse_route_name
from hub.wire.times import duration_from_proto, duration_to_proto, timestamp_to_proto

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ids import ClientId
    from hub.core.lane import LaneView
    from hub.ports.lanes import Opening

MAX_ROUTES = 64
"""Routes that one opening allows at most."""
MAX_RATE = 1_000_000
"""Packets of a limit, in a period or at once."""
DAY = 86_400 * SECOND
MAX_WORDS = 256
"""Characters of a data class or a purpose."""

_STATES = {
    LaneState.OPENING: pb.LANE_STATE_OPENING,
    LaneState.OPEN: pb.LANE_STATE_OPEN,
    LaneState.PAUSED: pb.LANE_STATE_PAUSED,
    LaneState.DRAINING: pb.LANE_STATE_DRAINING,
    LaneState.CLOSED: pb.LANE_STATE_CLOSED,
}
_ORDERS = {
    Order.UNORDERED: pb.ORDER_UNORDERED,
    Order.BEST_EFFORT: pb.ORDER_BEST_EFFORT,
    Order.ENFORCED: pb.ORDER_ENFORCED,
}
_ORDERS_READ = {
    pb.ORDER_UNSPECIFIED: Order.UNORDERED,
    **{number: order for order, number in _ORDERS.items()},
}
_OPENING_STATES = {
    OpeningState.RUNNING: pb.LaneOpening.STATE_RUNNING,
    OpeningState.DONE: pb.LaneOpening.STATE_DONE,
    OpeningState.FAILED: pb.LaneOpening.STATE_FAILED,
}
_ACTIONS = {
    RouteAction.ALLOW: pb.Route.ACTION_ALLOW,
    RouteAction.DENY: pb.Route.ACTION_DENY,
}
_ACTIONS_READ = {number: action for action, number in _ACTIONS.items()}


def lane_state_to_proto(state: LaneState) -> pb.LaneState.ValueType:
    """*state* on the wire."""
    return _STATES[state]


def plan_from_proto(request: service.OpenLaneRequest) -> OpeningPlan:
    """What the request asks to open. Raises ``FieldInvalid`` or ``IdentifierInvalid``."""
    source, destination = (
        parse_peer_name(request.source_peer),
        parse_peer_name(request.destination_peer),
    )
    if source == destination:
        raise FieldInvalid(field="destination_peer", problem="is the source peer")
    if request.from_sequence > MAX_SEQUENCE:
        raise FieldInvalid(field="from_sequence", problem="is over 63 bits")
    order = _ORDERS_READ.get(request.order)
    if order is None:
        raise FieldInvalid(field="order", problem="is unknown")
    if len(request.allow_routes) > MAX_ROUTES:
        raise FieldInvalid(field="allow_routes", problem=f"has more than {MAX_ROUTES} entries")
    return OpeningPlan(
        source=source,
        destination=destination,
        source_client=_client(request.source_client),
        destination_client=_client(request.destination_client),
        from_sequence=request.from_sequence,
        order=order,
        allow_routes=tuple(
            [_ports(text, f"allow_routes[{at}]") for at, text in enumerate(request.allow_routes)]
        ),
    )


def opening_to_proto(opening: Opening, lanes: Sequence[pb.Lane]) -> pb.LaneOpening:
    """*opening*, with its lanes once they are open."""
    return pb.LaneOpening(
        name=opening.name,
        state=_OPENING_STATES[opening.state],
        step=opening.step,
        reason=opening.reason,
        detail=opening.detail,
        lanes=lanes,
    )


def lane_to_proto(view: LaneView, exception_count: int) -> pb.Lane:
    """The lane with its counts."""
    lane, key = view.lane, view.lane.key
    return pb.Lane(
        name=key.name,
        source_peer=f"peers/{key.source_peer}",
        source_client=key.source_client,
        destination_peer=f"peers/{key.destination_peer}",
        destination_client=key.destination_client,
        state=_STATES[view.state],
        order=_ORDERS[lane.order],
        first_sequence=lane.first_sequence,
        pause_cause=lane.pause_cause,
        accepted_count=len(view.source.done),
        outcome_count=view.destination.outcome_count,
        completed_count=len(view.source.progress),
        exception_count=exception_count,
        create_time=timestamp_to_proto(lane.created_at),
        etag=str(lane.revision),
        reopened_count=view.source.reopened_count,
    )


def route_from_proto(route: pb.Route) -> Route:
    """The route of a request. Raises ``FieldInvalid`` or ``IdentifierInvalid``."""
    action = _ACTIONS_READ.get(route.action)
    if action is None:
        raise FieldInvalid(field="route.action", problem="is neither ALLOW nor DENY")
    for field in ("data_class", "purpose"):
        text: str = getattr(route, field)
        if len(text) > MAX_WORDS or not text.isprintable():
            problem = f"is not at most {MAX_WORDS} printable characters"
            raise FieldInvalid(field=f"route.{field}", problem=problem)
    if route.max_payload_bytes > MAX_PAYLOAD_BYTES:
        problem = f"is over a packet's own limit of {MAX_PAYLOAD_BYTES}"
        raise FieldInvalid(field="route.max_payload_bytes", problem=problem)
    limit = duration_from_proto(route.max_timeout, "route.max_timeout")
    return Route(
        key=parse_route_name(route.name),
        action=action,
        data_class=route.data_class,
        purpose=route.purpose,
        max_payload_bytes=route.max_payload_bytes,
        max_timeout=limit or None,
    )


def limit_from_proto(request: service.LimitRouteRequest) -> RateLimit | None:
    """The limit of a request; None where it takes it away. Raises ``FieldInvalid``."""
    if not request.HasField("limit"):
        return None
    limit = request.limit
    period = duration_from_proto(limit.period, "limit.period")
    if not MILLISECOND <= period <= DAY:
        raise FieldInvalid(field="limit.period", problem="is not from 1 ms to 1 day")
    for field, number in (("packets", limit.packets), ("burst", limit.burst)):
        if not 1 <= number <= MAX_RATE:
            raise FieldInvalid(field=f"limit.{field}", problem=f"is not from 1 to {MAX_RATE}")
    return RateLimit(packets=limit.packets, period=period, burst=limit.burst)


def limit_to_proto(limit: RateLimit) -> pb.RateLimit:
    """*limit* as a message."""
    period = duration_to_proto(limit.period)
    return pb.RateLimit(packets=limit.packets, period=period, burst=limit.burst)


def route_to_proto(route: Route) -> pb.Route:
    """*route* as a message."""
    message = pb.Route(
        name=route.key.name,
        action=_ACTIONS[route.action],
        data_class=route.data_class,
        purpose=route.purpose,
        max_payload_bytes=route.max_payload_bytes,
    )
    if route.max_timeout is not None:
        message.max_timeout.CopyFrom(duration_to_proto(route.max_timeout))
    if route.limit is not None:
        message.limit.CopyFrom(limit_to_proto(route.limit))
    return message


def _client(text: str) -> ClientId | None:
    return parse_client_id(text) if text else None


def _ports(text: str, field: str) -> tuple[str, str]:
    source, mark, destination = text.partition("~")
    if not mark:
        raise FieldInvalid(field=field, problem="is not {source port}~{destination port}")
    return parse_port_id(source), parse_port_id(destination)
