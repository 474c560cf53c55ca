from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.errors import LaneNotFound, RouteNotFound
from hub.core.ids import ClientId
from hub.core.lane import RateLimit, Route, RouteAction, RouteKey
from hub.core.time import SECOND
from hub.exchange import routes
from tests.harness.exchange import ADMIN, Exchange


async def test_a_route_is_set_and_set_again() -> None:
    exchange = await Exchange.opened()
    key = RouteKey.parse(f"{exchange.key}/routes/notary~archive")
    deny = Route(key=key, action=RouteAction.DENY)
    assert await routes.set_route(exchange.registry, deny, ADMIN) == (deny, False)
    assert await routes.set_route(exchange.registry, deny, ADMIN) == (deny, True)
    assert deny in await routes.of_lane(exchange.registry, exchange.key)
    assert deny not in await routes.of_lane(exchange.registry, exchange.key.reverse)
    assert deny in await routes.of_lane(exchange.registry, None)


async def test_a_lane_that_is_not_open_has_no_routes() -> None:
    exchange = await Exchange.opened()
    unknown = replace(exchange.key, source_client=ClientId("07-tendermint-99"))
    with pytest.raises(LaneNotFound):
        await routes.of_lane(exchange.registry, unknown)
    key = RouteKey.parse(f"{unknown}/routes/a1~b1")
    with pytest.raises(LaneNotFound):
        await routes.set_route(exchange.registry, Route(key=key, action=RouteAction.ALLOW), ADMIN)


async def test_a_limit_is_set_kept_and_taken_away() -> None:
    exchange = await Exchange.opened()
    registry, limit = exchange.registry, RateLimit(packets=100, period=SECOND, burst=500)
    key = RouteKey.parse(f"{exchange.key}/routes/transfer~transfer")
    found, already = await routes.limit_route(registry, key, limit, ADMIN)
    assert (found.limit, already) == (limit, False)
    assert (await routes.limit_route(registry, key, limit, ADMIN))[1]
    deny = Route(key=key, action=RouteAction.DENY)
    assert await routes.set_route(registry, deny, ADMIN) == (replace(deny, limit=limit), False)
    assert await routes.limit_route(registry, key, None, ADMIN) == (deny, False)
    unlisted = RouteKey.parse(f"{exchange.key}/routes/aa~bb")
    with pytest.raises(RouteNotFound):
        await routes.limit_route(registry, unlisted, limit, ADMIN)
