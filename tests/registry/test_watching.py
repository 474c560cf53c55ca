from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.core.ids import PortId
from hub.core.lane import Route, RouteAction, RouteKey
from hub.core.ranges import RangeSet
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    LEASE,
    SHANGHAI,
    SUZHOU,
    add_headers,
    header,
    key_of,
    opened,
    register,
)
from tests.registry.test_exceptions import parked, retry

if TYPE_CHECKING:
    from hub.ports.registry import Registry
    from hub.registry.registry import PostgresRegistry

HERE, BACK = key_of().name, key_of().reverse.name


async def test_everything_that_stands_is_new_since_nothing(registry: Registry) -> None:
    await opened(registry)
    watching = registry.watching
    assert await watching.peers(0) == ["peers/hangzhou", "peers/suzhou"]
    assert await watching.clients(0) == ["peers/hangzhou/client", "peers/suzhou/client"]
    assert await watching.lanes(0) == [HERE, BACK]


async def test_what_rests_is_not_told(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    watching = registry.watching
    here = await watching.position()
    assert await watching.peers(here) == await watching.clients(here) == []
    assert await watching.lanes(here) == []
    assert await watching.exceptions(lanes.lane, here) == RangeSet()
    assert await watching.position() >= here


async def test_a_change_is_told_from_the_position_before_it_on(registry: Registry) -> None:
    lanes = await opened(registry)
    watching = registry.watching
    here = await watching.position()
    await register(registry, SHANGHAI)
    assert await watching.peers(here) == ["peers/shanghai"]
    assert await watching.clients(here) == ["peers/shanghai/client"]
    here = await watching.position()
    await registry.leases.renew(lanes.source, LEASE, attached=True)
    assert await watching.peers(here) == ["peers/hangzhou"]
    here = await watching.position()
    await add_headers(registry, lanes.destination, [header(8)])
    assert await watching.clients(here) == ["peers/suzhou/client"]
    here = await watching.position()
    await lanes.accept(1, 2)
    assert await watching.lanes(here) == [HERE]
    here = await watching.position()
    await registry.lanes.pause(key_of().reverse, "works", ADMIN)
    assert await watching.lanes(here) == [BACK]
    here = await watching.position()
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    assert await watching.clients(here) == ["peers/suzhou/client"]


async def test_exceptions_are_told_by_their_sequences(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3)
    await registry.exceptions.put(lanes.source, lanes.lane, [parked(1)])
    here = await registry.watching.position()
    await registry.exceptions.put(lanes.source, lanes.lane, [retry(2)])
    assert await registry.watching.exceptions(lanes.lane, here) == RangeSet.of([2])
    assert await registry.watching.exceptions(lanes.lane, 0) == RangeSet.of([1, 2])
    assert await registry.watching.lanes(here) == [HERE]
    here = await registry.watching.position()
    await registry.exceptions.retry([(key_of(), 1)], ADMIN)
    assert await registry.watching.exceptions(lanes.lane, here) == RangeSet.of([1])
    assert await registry.watching.exceptions(99, 0) == RangeSet()


async def test_what_was_under_way_when_the_position_was_taken_is_told_afterwards(
    postgres: PostgresRegistry,
) -> None:
    lanes = await opened(postgres)
    async with postgres.database.line() as slow:
        async with slow.transaction():
            async with slow.transaction():
                # Written by a part of a transaction, whose number no snapshot names.
                await slow.execute(
                    "UPDATE leases SET expires_at = expires_at WHERE peer = $1", HANGZHOU
                )
            await postgres.leases.renew(lanes.destination, LEASE, attached=True)
            here = await postgres.watching.position()
            await asyncio.sleep(0)
        later = await postgres.watching.peers(here)
    assert "peers/hangzhou" in later


async def test_what_relayers_act_upon_is_told_with_both_rows(registry: Registry) -> None:
    lanes = await opened(registry)
    watching = registry.watching
    here = (await watching.written(await watching.position())).position
    assert (await watching.written(here)).lanes == []
    await lanes.accept(1, 2, 4)
    await lanes.settle(1)
    found = await watching.written(here)
    [lane] = found.lanes
    view = await lanes.view()
    assert (lane.lane_id, lane.source_peer, lane.destination_peer) == (
        lanes.lane,
        HANGZHOU,
        SUZHOU,
    )
    assert (lane.source, lane.destination, lane.is_changed) == (
        view.source,
        view.destination,
        False,
    )
    assert found.peers == []
    assert found.position >= here


async def test_changes_of_lanes_routes_exceptions_and_clients_are_told(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    watching = registry.watching

    async def told(since: int) -> tuple[list[int], list[str]]:
        found = await watching.written(since)
        return [one.lane_id for one in found.lanes if one.is_changed], list(found.peers)

    here = await watching.position()
    await registry.exceptions.put(lanes.destination, lanes.lane, [parked(1)])
    assert await told(here) == ([lanes.lane], [])
    here = await watching.position()
    await registry.lanes.pause(key_of().reverse, "inspection", ADMIN)
    assert await told(here) == ([lanes.lanes[1].lane_id], [])
    here = await watching.position()
    await add_headers(registry, lanes.destination, [header(8)])
    await registry.leases.renew(lanes.source, LEASE, attached=True)
    assert await told(here) == ([], [])
    await registry.clients.freeze(SUZHOU, "inspection", None, ADMIN)
    assert (await told(here))[1] == ["suzhou"]
    here = await watching.position()
    await registry.lanes.set_route(
        Route(
            key=RouteKey(key_of(), PortId("notary"), PortId("archive")), action=RouteAction.ALLOW
        ),
        ADMIN,
    )
    assert await told(here) == ([lanes.lane], [])


async def test_a_row_whose_ranges_are_full_is_told_as_it_stands(registry: Registry) -> None:
    """Who reads compares it with the truth, and reads the view where they differ."""
    lanes = await opened(registry)
    here = await registry.watching.position()
    await lanes.accept(*range(1, 200, 2))
    [lane] = (await registry.watching.written(here)).lanes
    truth = (await lanes.view()).source.done
    assert len(lane.source.done.ranges) <= 64
    assert not truth - lane.source.done
    assert lane.source.done != truth
