"""Set the policy of routes: which pairs of ports a lane carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.lane import LaneKey, Route
    from hub.ports.caller import Caller
    from hub.ports.registry import Registry


async def set_route(registry: Registry, route: Route, by: Caller) -> tuple[Route, bool]:
    """The route as it is now, and whether it was so before; it counts for later packets.

    Raises ``LaneNotFound``, ``RequestIdReused``.
    """
    already = await registry.lanes.set_route(route, by)
    return route, already


async def of_lane(registry: Registry, key: LaneKey | None) -> Sequence[Route]:
    """The routes of a lane, or of all, by name. Raises ``LaneNotFound``."""
    return await registry.lanes.routes(key)
