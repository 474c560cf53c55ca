from __future__ import annotations

from typing import Any

import pytest
from ydhub.lane.v1 import lane_pb2 as pb
from ydhub.lane.v1 import lane_service_pb2 as service

from hub.core.errors import FieldInvalid, IdentifierInvalid
from hub.core.lane import (
    Lane,
    LaneKey,
    LaneSide,
    LaneState,
    LaneView,
    Order,
    Route,
    RouteAction,
    RouteKey,
)
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, Duration, Timestamp
from hub.ports.lanes import Opening, OpeningState
from hub.wire import lanes

KEY = LaneKey.parse("hangzhou~07-tendermint-0~suzhou~07-tendermint-1")


def request(**changes: Any) -> service.OpenLaneRequest:
    fields = {"source_peer": "peers/hangzhou", "destination_peer": "peers/suzhou"}
    return service.OpenLaneRequest(**(fields | changes))


def test_a_plan_is_read_with_what_it_leaves_open() -> None:
    plan = lanes.plan_from_proto(request())
    assert (plan.source, plan.destination, plan.order) == ("hangzhou", "suzhou", Order.UNORDERED)
    assert (plan.source_client, plan.destination_client, plan.from_sequence) == (None, None, 0)
    whole = lanes.plan_from_proto(
        request(
            source_client="07-tendermint-0",
            destination_client="07-tendermint-1",
            from_sequence=9,
            order=pb.ORDER_BEST_EFFORT,
            allow_routes=["transfer~ledger"],
        )
    )
    assert (whole.source_client, whole.destination_client) == ("07-tendermint-0", "07-tendermint-1")
    assert (whole.from_sequence, whole.order) == (9, Order.BEST_EFFORT)
    assert whole.allow_routes == (("transfer", "ledger"),)


def test_a_plan_names_the_field_that_is_wrong() -> None:
    for changes, field in (
        ({"destination_peer": "peers/hangzhou"}, "destination_peer"),
        ({"from_sequence": 2**63}, "from_sequence"),
        ({"order": 44}, "order"),
        ({"allow_routes": ["aa~bb", "cc"]}, "allow_routes[1]"),
        ({"allow_routes": ["aa~bb"] * 65}, "allow_routes"),
    ):
        with pytest.raises(FieldInvalid) as raised:
            lanes.plan_from_proto(request(**changes))
        assert raised.value.field == field
    with pytest.raises(IdentifierInvalid):
        lanes.plan_from_proto(request(source_client="x"))


def view(state: LaneState = LaneState.OPEN, order: Order = Order.UNORDERED) -> LaneView:
    lane = Lane(
        lane_id=1,
        key=KEY,
        state=state,
        order=order,
        first_sequence=3,
        pause_cause="audit",
        created_at=Timestamp(1_800_000_000 * SECOND),
        revision=5,
    )
    return LaneView(
        lane=lane,
        source=LaneSide(epoch=1, gate=1, done=RangeSet.span(3, 10), progress=RangeSet.span(0, 2)),
        destination=LaneSide(epoch=1, gate=1, outcome_count=4),
        source_stopped="",
        destination_stopped="",
        source_anchor=1,
        destination_anchor=1,
    )


def test_a_lane_counts_what_its_rows_say() -> None:
    message = lanes.lane_to_proto(view(), 1)
    assert message.name == KEY.name
    assert (message.accepted_count, message.outcome_count) == (7, 4)
    assert (message.completed_count, message.exception_count) == (2, 1)
    assert (message.source_peer, message.destination_client) == (
        "peers/hangzhou", "07-tendermint-1",
    )  # fmt: skip
    assert (message.etag, message.first_sequence) == ("5", 3)


@pytest.mark.parametrize("state", LaneState)
def test_every_state_has_its_word(state: LaneState) -> None:
    message = lanes.lane_to_proto(view(state), 0)
    assert pb.LaneState.Name(message.state) == f"LANE_STATE_{state}"


@pytest.mark.parametrize("order", Order)
def test_every_order_has_its_word_and_reads_back(order: Order) -> None:
    message = lanes.lane_to_proto(view(order=order), 0)
    assert pb.Order.Name(message.order) == f"ORDER_{order}"
    assert lanes.plan_from_proto(request(order=message.order)).order is order


@pytest.mark.parametrize("state", OpeningState)
def test_an_opening_shows_how_far_it_is(state: OpeningState) -> None:
    opening = Opening(
        number=7,
        plan=lanes.plan_from_proto(request()),
        state=state,
        step="binding",
        reason="ADAPTER_OFFLINE",
        detail="away",
        lanes=(),
    )
    message = lanes.opening_to_proto(opening, [pb.Lane(name="lanes/x")])
    assert pb.LaneOpening.State.Name(message.state) == f"STATE_{state}"
    assert (message.name, message.step, message.reason) == (
        "laneOpenings/7", "binding", "ADAPTER_OFFLINE",
    )  # fmt: skip
    assert [lane.name for lane in message.lanes] == ["lanes/x"]


@pytest.mark.parametrize("action", RouteAction)
@pytest.mark.parametrize("limit", [None, Duration(3600 * SECOND)])
def test_a_route_reads_back(action: RouteAction, limit: Duration | None) -> None:
    route = Route(
        key=RouteKey.parse(f"{KEY}/routes/transfer~ledger"),
        action=action,
        data_class="general",
        purpose="land registry",
        max_payload_bytes=17,
        max_timeout=limit,
    )
    assert lanes.route_from_proto(lanes.route_to_proto(route)) == route


def test_a_route_names_the_field_that_is_wrong() -> None:
    good: dict[str, Any] = {"name": f"{KEY.name}/routes/aa~bb", "action": pb.Route.ACTION_ALLOW}
    for changes, field in (
        ({"action": 0}, "route.action"),
        ({"data_class": "a\n"}, "route.data_class"),
        ({"purpose": "x" * 257}, "route.purpose"),
        ({"max_payload_bytes": 2**40}, "route.max_payload_bytes"),
    ):
        with pytest.raises(FieldInvalid) as raised:
            lanes.route_from_proto(pb.Route(**(good | changes)))
        assert raised.value.field == field
    negative = pb.Route(**good)
    negative.max_timeout.seconds = -1
    with pytest.raises(FieldInvalid):
        lanes.route_from_proto(negative)
