"""Set the policy of routes: which pairs of ports a lane carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import RouteNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.lane import LaneKey, RateLimit, Route, RouteKey
    from hub.ports.caller import Caller
    from hub.ports.registry import Registry


async def set_route(registry: Registry, route: Route, by: Caller) -> tuple[Route, bool]:
    """The route as it is now, and whether it was so before; it counts for later packets.

    Raises ``LaneNotFound``, ``RequestIdReused``.
    """
    already = await registry.lanes.set_route(route, by)
    return await _route(registry, route.key), already


async def limit_route(
    registry: Registry, key: RouteKey, limit: RateLimit | None, by: Caller
) -> tuple[Route, bool]:
    """The route as it is now, and whether it was so before; it counts from now on.

    Raises ``LaneNotFound``, ``RouteNotFound``, ``RequestIdReused``.
    """
    already = await registry.lanes.limit_route(key, limit, by)
    return await _route(registry, key), already


async def of_lane(registry: Registry, key: LaneKey | None) -> Sequence[Route]:
    """The routes of a lane, or of all, by name. Raises ``LaneNotFound``."""
    return await registry.lanes.routes(key)


async def _route(registry: Registry, key: RouteKey) -> Route:
    for route in await registry.lanes.routes(key.lane):
        if route.key == key:
            return route
    raise RouteNotFound(name=key.name)
