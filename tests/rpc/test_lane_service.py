from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration
from ydhub.lane.v1 import lane_pb2
from ydhub.lane.v1 import lane_service_pb2 as pb

from hub.core.errors import ChainUnreachable, Reason
from tests.harness.hub_server import Stubs, failure

if TYPE_CHECKING:
    from tests.harness.exchange import Exchange
    from tests.harness.hub_server import Served

UNKNOWN = "lanes/hangzhou~07-tendermint-99~suzhou~07-tendermint-99"


def opening(**changes: Any) -> pb.OpenLaneRequest:
    fields = {"source_peer": "peers/hangzhou", "destination_peer": "peers/suzhou"}
    return pb.OpenLaneRequest(**(fields | changes))


async def test_an_opening_is_followed_to_its_lanes(admin: Stubs, exchange: Exchange) -> None:
    request = opening(order=lane_pb2.ORDER_ENFORCED, allow_routes=["transfer~transfer"])
    started = (await admin.lanes.OpenLane(request, timeout=10)).opening
    assert started.state == lane_pb2.LaneOpening.STATE_RUNNING
    again = (await admin.lanes.OpenLane(request, timeout=10)).opening
    assert again.name == started.name
    number = int(started.name.removeprefix("laneOpenings/"))
    lanes = exchange.registry.lanes
    error = ChainUnreachable(chain="suzhou-1", problem="no answer")
    await lanes.note_opening(number, step="creating clients", error=error, failed=False)
    ask = pb.GetLaneOpeningRequest(name=started.name)
    waiting = (await admin.lanes.GetLaneOpening(ask, timeout=10)).opening
    assert (waiting.step, waiting.reason) == ("creating clients", "CHAIN_UNREACHABLE")
    await lanes.finish_opening(number, [(exchange.key, 1), (exchange.key.reverse, 1)])
    done = (await admin.lanes.GetLaneOpening(ask, timeout=10)).opening
    assert done.state == lane_pb2.LaneOpening.STATE_DONE
    assert [lane.name for lane in done.lanes] == [exchange.key.name, exchange.key.reverse.name]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"destination_peer": "peers/nowhere"}, Reason.PEER_NOT_FOUND),
        ({"destination_peer": "suzhou"}, Reason.IDENTIFIER_INVALID),
        ({"destination_peer": "peers/hangzhou"}, Reason.FIELD_INVALID),
        ({"source_client": "x"}, Reason.IDENTIFIER_INVALID),
        ({"from_sequence": 2**63}, Reason.FIELD_INVALID),
        ({"order": 9}, Reason.FIELD_INVALID),
        ({"allow_routes": ["transfer"]}, Reason.FIELD_INVALID),
        ({"allow_routes": ["a~b~c"]}, Reason.IDENTIFIER_INVALID),
        ({"allow_routes": ["aa~bb"] * 65}, Reason.FIELD_INVALID),
    ],
)
async def test_an_opening_that_makes_no_sense_is_refused(
    admin: Stubs, changes: dict[str, Any], reason: Reason
) -> None:
    found = await failure(admin.lanes.OpenLane(opening(**changes), timeout=10))
    assert found.reason is reason


async def test_a_lane_shows_its_counts(admin: Stubs, exchange: Exchange) -> None:
    packets = exchange.send(3)
    await exchange.accept(packets)
    await exchange.deliver(packets[:2])
    await exchange.acknowledge(packets[:2])
    await exchange.complete(packets[:1])
    lane = (await admin.lanes.GetLane(pb.GetLaneRequest(name=exchange.key.name), timeout=10)).lane
    assert lane.state == lane_pb2.LANE_STATE_OPEN
    assert (lane.accepted_count, lane.outcome_count, lane.completed_count) == (3, 2, 1)
    assert lane.source_peer == "peers/hangzhou"


async def test_lanes_are_listed_page_by_page(admin: Stubs, exchange: Exchange) -> None:
    first = await admin.lanes.ListLanes(pb.ListLanesRequest(page_size=1), timeout=10)
    rest = await admin.lanes.ListLanes(
        pb.ListLanesRequest(page_size=1, page_token=first.next_page_token), timeout=10
    )
    names = [lane.name for answer in (first, rest) for lane in answer.lanes]
    assert names == sorted([exchange.key.name, exchange.key.reverse.name])
    assert rest.next_page_token == ""
    bad = pb.ListLanesRequest(page_token="AAAA")
    found = await failure(admin.lanes.ListLanes(bad, timeout=10))
    assert found.reason is Reason.PAGE_TOKEN_INVALID


async def test_a_lane_is_paused_and_goes_on(admin: Stubs, exchange: Exchange) -> None:
    name = exchange.key.name
    pause = pb.PauseLaneRequest(name=name, cause="audit")
    paused = await admin.lanes.PauseLane(pause, timeout=10)
    assert paused.lane.state == lane_pb2.LANE_STATE_PAUSED
    assert (paused.lane.pause_cause, paused.already_done) == ("audit", False)
    assert (await admin.lanes.PauseLane(pause, timeout=10)).already_done
    resume = pb.ResumeLaneRequest(name=name)
    resumed = await admin.lanes.ResumeLane(resume, timeout=10)
    assert resumed.lane.state == lane_pb2.LANE_STATE_OPEN
    assert (await admin.lanes.ResumeLane(resume, timeout=10)).already_done


async def test_a_route_is_set_and_listed(admin: Stubs, exchange: Exchange) -> None:
    route = lane_pb2.Route(
        name=f"{exchange.key.name}/routes/notary~archive",
        action=lane_pb2.Route.ACTION_ALLOW,
        data_class="general",
        purpose="land registry",
        max_payload_bytes=1024,
    )
    route.max_timeout.FromSeconds(3600)
    answer = await admin.lanes.SetRoute(pb.SetRouteRequest(route=route), timeout=10)
    assert (answer.route, answer.already_done) == (route, False)
    assert (await admin.lanes.SetRoute(pb.SetRouteRequest(route=route), timeout=10)).already_done
    listed = await admin.lanes.ListRoutes(
        pb.ListRoutesRequest(parent=exchange.key.name), timeout=10
    )
    assert route in listed.routes
    everywhere = await admin.lanes.ListRoutes(pb.ListRoutesRequest(), timeout=10)
    assert len(everywhere.routes) == len(listed.routes) + 1


async def test_a_route_is_limited(admin: Stubs, exchange: Exchange) -> None:
    limit = lane_pb2.RateLimit(packets=100, burst=500)
    limit.period.FromSeconds(1)
    request = pb.LimitRouteRequest(
        name=f"{exchange.key.name}/routes/transfer~transfer", limit=limit
    )
    answer = await admin.lanes.LimitRoute(request, timeout=10)
    assert (answer.route.limit, answer.already_done) == (limit, False)
    assert (await admin.lanes.LimitRoute(request, timeout=10)).already_done
    request.ClearField("limit")
    assert not (await admin.lanes.LimitRoute(request, timeout=10)).route.HasField("limit")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"packets": 0}, Reason.FIELD_INVALID),
        ({"packets": 10**6 + 1}, Reason.FIELD_INVALID),
        ({"burst": 0}, Reason.FIELD_INVALID),
        ({"burst": 10**6 + 1}, Reason.FIELD_INVALID),
        ({"period": Duration(nanos=999_999)}, Reason.FIELD_INVALID),
        ({"period": Duration(seconds=86_401)}, Reason.FIELD_INVALID),
    ],
)
async def test_a_limit_that_makes_no_sense_is_refused(
    admin: Stubs, exchange: Exchange, changes: dict[str, Any], reason: Reason
) -> None:
    values = {"packets": 1, "burst": 1, "period": Duration(seconds=1)}
    limit = lane_pb2.RateLimit(**{**values, **changes})
    request = pb.LimitRouteRequest(
        name=f"{exchange.key.name}/routes/transfer~transfer", limit=limit
    )
    assert (await failure(admin.lanes.LimitRoute(request, timeout=10))).reason is reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": f"{UNKNOWN}/routes/aa~bb"}, Reason.LANE_NOT_FOUND),
        ({"name": "lanes/x/routes/aa~bb"}, Reason.IDENTIFIER_INVALID),
        ({"action": 0}, Reason.FIELD_INVALID),
        ({"action": 7}, Reason.FIELD_INVALID),
        ({"data_class": "x" * 257}, Reason.FIELD_INVALID),
        ({"purpose": "a\tb"}, Reason.FIELD_INVALID),
        ({"max_payload_bytes": 2**20}, Reason.FIELD_INVALID),
    ],
)
async def test_a_route_that_makes_no_sense_is_refused(
    admin: Stubs, exchange: Exchange, changes: dict[str, Any], reason: Reason
) -> None:
    fields: dict[str, Any] = {"name": f"{exchange.key.name}/routes/aa~bb", "action": 1}
    request = pb.SetRouteRequest(route=lane_pb2.Route(**(fields | changes)))
    assert (await failure(admin.lanes.SetRoute(request, timeout=10))).reason is reason


async def test_a_lane_that_is_not_open_is_not_found(admin: Stubs) -> None:
    lanes = admin.lanes
    calls: list[Any] = [
        lanes.GetLane(pb.GetLaneRequest(name=UNKNOWN), timeout=10),
        lanes.PauseLane(pb.PauseLaneRequest(name=UNKNOWN, cause="x"), timeout=10),
        lanes.ResumeLane(pb.ResumeLaneRequest(name=UNKNOWN), timeout=10),
        lanes.ListRoutes(pb.ListRoutesRequest(parent=UNKNOWN), timeout=10),
        lanes.GetLaneOpening(pb.GetLaneOpeningRequest(name="laneOpenings/99"), timeout=10),
    ]
    for call in calls:
        assert (await failure(call)).reason is Reason.LANE_NOT_FOUND
    odd = pb.GetLaneOpeningRequest(name="laneOpenings/0")
    found = await failure(lanes.GetLaneOpening(odd, timeout=10))
    assert found.reason is Reason.IDENTIFIER_INVALID


async def test_a_peer_drains_an_open_lane_and_lifts_no_pause(
    served: Served, admin: Stubs, exchange: Exchange
) -> None:
    drain = pb.DrainLaneRequest(name=exchange.key.name, cause="ours")
    pause = pb.PauseLaneRequest(name=exchange.key.name, cause="an incident")
    async with Stubs(served, "/peers/suzhou") as city:
        answer = await city.lanes.DrainLane(drain, timeout=10)
        assert answer.lane.pause_cause == "ours"
        await admin.lanes.PauseLane(pause, timeout=10)
        refused = await failure(city.lanes.DrainLane(drain, timeout=10))
        assert refused.reason is Reason.LANE_PAUSED
        lane = await city.lanes.GetLane(pb.GetLaneRequest(name=exchange.key.name), timeout=10)
    assert (lane.lane.state, lane.lane.pause_cause) == (lane_pb2.LANE_STATE_PAUSED, "an incident")
    answer = await admin.lanes.DrainLane(drain, timeout=10)
    assert not answer.already_done


async def test_a_lane_drains_and_goes_on(admin: Stubs, exchange: Exchange) -> None:
    await exchange.accept(exchange.send(1))
    request = pb.DrainLaneRequest(name=exchange.key.name, cause="the last year")
    answer = await admin.lanes.DrainLane(request, timeout=10)
    assert (answer.lane.state, answer.lane.pause_cause, answer.already_done) == (
        lane_pb2.LANE_STATE_DRAINING,
        "the last year",
        False,
    )
    assert (await admin.lanes.DrainLane(request, timeout=10)).already_done
    resumed = await admin.lanes.ResumeLane(pb.ResumeLaneRequest(name=exchange.key.name), timeout=10)
    assert resumed.lane.state == lane_pb2.LANE_STATE_OPEN
