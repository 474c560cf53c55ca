"""LaneService: see protos/ydhub/lane/v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ydhub.lane.v1 import lane_service_pb2 as pb
from ydhub.lane.v1.lane_service_pb2_grpc import LaneServiceServicer

from hub.exchange import lanes, routes
from hub.server.call import IDENTITY, author
from hub.wire.identity.spiffe import Role
from hub.wire.lanes import (
    lane_to_proto,
    limit_from_proto,
    opening_to_proto,
    plan_from_proto,
    route_from_proto,
    route_to_proto,
)
from hub.wire.names import parse_lane_name, parse_opening_name, parse_peer_name, parse_route_name
from hub.wire.page import Page
from hub.wire.requests import parse_cause

if TYPE_CHECKING:
    from grpc.aio import ServicerContext
    from ydhub.lane.v1 import lane_pb2

    from hub.exchange.lanes import LaneCounts, OpeningProgress
    from hub.server.hub import Hub


class LaneService(LaneServiceServicer):
    """Opens lanes, stops them, and sets the policy of their routes."""

    def __init__(self, hub: Hub) -> None:
        """Over *hub*."""
        self._hub = hub

    async def OpenLane(
        self, request: pb.OpenLaneRequest, context: ServicerContext[Any, Any]
    ) -> pb.OpenLaneResponse:
        """As the contract says."""
        plan, by = plan_from_proto(request), author(request, request.request_id)
        found = await lanes.start_opening(self._hub.registry, plan, by)
        return pb.OpenLaneResponse(opening=_opening(found))

    async def GetLaneOpening(
        self, request: pb.GetLaneOpeningRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetLaneOpeningResponse:
        """As the contract says."""
        found = await lanes.opening(self._hub.registry, parse_opening_name(request.name))
        return pb.GetLaneOpeningResponse(opening=_opening(found))

    async def ListLanes(
        self, request: pb.ListLanesRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListLanesResponse:
        """As the contract says."""
        peer = parse_peer_name(request.peer) if request.peer else None
        page = Page.parse(f"lanes {request.peer}", request.page_size, request.page_token)
        found, more = await lanes.page(self._hub.registry, peer, page.after, page.size)
        token = page.token_after(str(found[-1].view.lane.key)) if more else ""
        return pb.ListLanesResponse(
            lanes=[_lane(counts) for counts in found], next_page_token=token
        )

    async def GetLane(
        self, request: pb.GetLaneRequest, context: ServicerContext[Any, Any]
    ) -> pb.GetLaneResponse:
        """As the contract says."""
        found = await lanes.get(self._hub.registry, parse_lane_name(request.name))
        return pb.GetLaneResponse(lane=_lane(found))

    async def PauseLane(
        self, request: pb.PauseLaneRequest, context: ServicerContext[Any, Any]
    ) -> pb.PauseLaneResponse:
        """As the contract says."""
        key, cause = parse_lane_name(request.name), parse_cause(request.cause)
        by = author(request, request.request_id)
        found, already = await lanes.pause(self._hub.registry, key, cause, by)
        return pb.PauseLaneResponse(lane=_lane(found), already_done=already)

    async def DrainLane(
        self, request: pb.DrainLaneRequest, context: ServicerContext[Any, Any]
    ) -> pb.DrainLaneResponse:
        """As the contract says."""
        key, cause = parse_lane_name(request.name), parse_cause(request.cause)
        by = author(request, request.request_id)
        # To let a paused lane deliver again is the administrators' to decide, as in authority.py.
        is_admin = IDENTITY.get().role is Role.ADMIN
        found, already = await lanes.drain(self._hub.registry, key, cause, by, ends_pause=is_admin)
        return pb.DrainLaneResponse(lane=_lane(found), already_done=already)

    async def ResumeLane(
        self, request: pb.ResumeLaneRequest, context: ServicerContext[Any, Any]
    ) -> pb.ResumeLaneResponse:
        """As the contract says."""
        by = author(request, request.request_id)
        found, already = await lanes.resume(self._hub.registry, parse_lane_name(request.name), by)
        return pb.ResumeLaneResponse(lane=_lane(found), already_done=already)

    async def SetRoute(
        self, request: pb.SetRouteRequest, context: ServicerContext[Any, Any]
    ) -> pb.SetRouteResponse:
        """As the contract says."""
        route, by = route_from_proto(request.route), author(request, request.request_id)
        found, already = await routes.set_route(self._hub.registry, route, by)
        return pb.SetRouteResponse(route=route_to_proto(found), already_done=already)

    async def LimitRoute(
        self, request: pb.LimitRouteRequest, context: ServicerContext[Any, Any]
    ) -> pb.LimitRouteResponse:
        """As the contract says."""
        key, limit = parse_route_name(request.name), limit_from_proto(request)
        by = author(request, request.request_id)
        found, already = await routes.limit_route(self._hub.registry, key, limit, by)
        return pb.LimitRouteResponse(route=route_to_proto(found), already_done=already)

    async def ListRoutes(
        self, request: pb.ListRoutesRequest, context: ServicerContext[Any, Any]
    ) -> pb.ListRoutesResponse:
        """As the contract says."""
        key = parse_lane_name(request.parent) if request.parent else None
        found = await routes.of_lane(self._hub.registry, key)
        return pb.ListRoutesResponse(routes=[route_to_proto(route) for route in found])


def _lane(counts: LaneCounts) -> lane_pb2.Lane:
    return lane_to_proto(counts.view, counts.exception_count)


def _opening(progress: OpeningProgress) -> lane_pb2.LaneOpening:
    return opening_to_proto(progress.opening, [_lane(counts) for counts in progress.lanes])
