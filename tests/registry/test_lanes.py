from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import (
    AdapterOffline,
    GateChanged,
    LaneNotFound,
    LanePaused,
    PeerNotFound,
    RequestIdReused,
    RouteNotFound,
)
from hub.core.ids import PortId
from hub.core.lane import LaneState, Order, RateLimit, Route, RouteAction, RouteKey
from hub.core.ranges import RangeSet
from hub.core.time import SECOND, Duration
from hub.ports.caller import Caller
from hub.ports.lanes import OpeningState
from hub.registry.memory import MemoryRegistry
from hub.registry.registry import PostgresRegistry
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SHANGHAI,
    SUZHOU,
    broken,
    key_of,
    open_lanes,
    opened,
    plan_of,
    register,
)

if TYPE_CHECKING:
    from hub.core.lane import LaneKey
    from hub.ports.registry import Registry


def asked(request_id: str, digest: bytes = b"contents") -> Caller:
    return Caller(identity=ADMIN.identity, request_id=request_id, digest=digest)


def route(lane: LaneKey, port: str = "transfer", **changes: object) -> Route:
    key = RouteKey(lane, PortId(port), PortId("transfer"))
    values: dict[str, object] = {"key": key, "action": RouteAction.ALLOW}
    return Route(**(values | changes))  # type: ignore[arg-type]


async def test_an_opening_runs_until_it_is_finished(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    plan = plan_of(order=Order.ENFORCED, routes=(("transfer", "vault"), ("data", "data")))
    opening = await registry.lanes.start_opening(plan, ADMIN)
    assert opening.state is OpeningState.RUNNING
    assert opening.plan == plan
    assert await registry.lanes.running_openings() == [opening]
    await registry.lanes.finish_opening(opening.number, [(key_of(), 4), (key_of().reverse, 9)])
    done = await registry.lanes.opening(opening.number)
    assert (done.state, done.lanes) == (OpeningState.DONE, (key_of(), key_of().reverse))
    assert await registry.lanes.running_openings() == []
    lane = await registry.lanes.get(key_of())
    assert (lane.state, lane.order, lane.first_sequence) == (LaneState.OPEN, Order.ENFORCED, 4)
    assert (await registry.lanes.get(key_of().reverse)).first_sequence == 9
    assert await broken(registry) == {}


async def test_an_opening_allows_its_routes_both_ways(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    await open_lanes(registry, routes=(("transfer", "vault"),))
    there = await registry.lanes.routes(key_of())
    back = await registry.lanes.routes(key_of().reverse)
    assert [(r.key.source_port, r.key.destination_port) for r in there] == [("transfer", "vault")]
    assert [(r.key.source_port, r.key.destination_port) for r in back] == [("vault", "transfer")]
    assert {r.action for r in (*there, *back)} == {RouteAction.ALLOW}


async def test_the_same_plan_again_is_the_opening_that_runs_or_is_done(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    first = await registry.lanes.start_opening(plan_of(), ADMIN)
    assert await registry.lanes.start_opening(plan_of(), ADMIN) == first
    other = await registry.lanes.start_opening(plan_of(from_sequence=2), ADMIN)
    assert other.number != first.number
    await registry.lanes.finish_opening(first.number, [(key_of(), 1)])
    again = await registry.lanes.start_opening(plan_of(), ADMIN)
    assert (again.number, again.state) == (first.number, OpeningState.DONE)


async def test_a_plan_that_failed_may_be_tried_anew(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    first = await registry.lanes.start_opening(plan_of(), ADMIN)
    error = AdapterOffline(peer="suzhou")
    await registry.lanes.note_opening(first.number, step="creating", error=error, failed=False)
    noted = await registry.lanes.opening(first.number)
    assert (noted.state, noted.step) == (OpeningState.RUNNING, "creating")
    assert (noted.reason, noted.detail) == ("ADAPTER_OFFLINE", str(error))
    await registry.lanes.note_opening(first.number, step="creating", error=error, failed=True)
    assert (await registry.lanes.opening(first.number)).state is OpeningState.FAILED
    second = await registry.lanes.start_opening(plan_of(), ADMIN)
    assert second.number != first.number


async def test_an_opening_that_is_over_stays_as_it_is(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    opening = await registry.lanes.start_opening(plan_of(), ADMIN)
    await registry.lanes.finish_opening(opening.number, [(key_of(), 1)])
    done = await registry.lanes.opening(opening.number)
    await registry.lanes.note_opening(opening.number, step="late", error=None, failed=True)
    await registry.lanes.finish_opening(opening.number, [(key_of(number=1), 1)])
    assert await registry.lanes.opening(opening.number) == done
    with pytest.raises(LaneNotFound):
        await registry.lanes.get(key_of(number=1))


async def test_a_success_clears_what_the_last_attempt_said(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    opening = await registry.lanes.start_opening(plan_of(), ADMIN)
    error = AdapterOffline(peer="suzhou")
    await registry.lanes.note_opening(opening.number, step="creating", error=error, failed=False)
    await registry.lanes.note_opening(opening.number, step="verifying", error=None, failed=False)
    noted = await registry.lanes.opening(opening.number)
    assert (noted.step, noted.reason, noted.detail) == ("verifying", "", "")


async def test_a_repeated_request_finds_its_opening(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    first = await registry.lanes.start_opening(plan_of(), asked("o1"))
    assert await registry.lanes.start_opening(plan_of(), asked("o1")) == first
    with pytest.raises(RequestIdReused):
        await registry.lanes.start_opening(plan_of(from_sequence=3), asked("o1", b"other"))


async def test_an_opening_needs_both_peers(registry: Registry) -> None:
    await register(registry, HANGZHOU)
    with pytest.raises(PeerNotFound) as caught:
        await registry.lanes.start_opening(plan_of(), ADMIN)
    assert caught.value.name == "peers/suzhou"
    with pytest.raises(LaneNotFound):
        await registry.lanes.opening(1)
    with pytest.raises(LaneNotFound):
        await registry.lanes.note_opening(1, step="", error=None, failed=False)
    with pytest.raises(LaneNotFound):
        await registry.lanes.finish_opening(1, [])


async def test_a_lane_that_is_open_stays_as_it_is(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1)
    await registry.lanes.pause(key_of(), "work", ADMIN)
    before = await lanes.view()
    denied = route(key_of(), action=RouteAction.DENY)
    await registry.lanes.set_route(denied, ADMIN)
    await open_lanes(registry, [(key_of(), 7)], from_sequence=7)
    assert await lanes.view() == before
    assert await registry.lanes.routes(key_of()) == [denied]


async def test_lanes_are_paged_by_key(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU, SHANGHAI)
    keys = [key_of("shanghai", "suzhou"), key_of(), key_of(number=1), key_of().reverse]
    await open_lanes(registry, [(key, 1) for key in keys])
    lanes = await registry.lanes.page(None, "", 10)
    assert [str(lane.key) for lane in lanes] == sorted(map(str, keys))
    assert [lane.key for lane in await registry.lanes.page(None, str(lanes[0].key), 2)] == [
        lane.key for lane in lanes[1:3]
    ]
    of_shanghai = await registry.lanes.page(SHANGHAI, "", 10)
    assert [lane.key for lane in of_shanghai] == [key_of("shanghai", "suzhou")]
    assert len(await registry.lanes.page(HANGZHOU, "", 10)) == 3


async def test_views_are_of_the_lanes_at_whose_end_the_peer_is(registry: Registry) -> None:
    lanes = await opened(registry)
    await register(registry, SHANGHAI)
    await open_lanes(registry, [(key_of("shanghai", "suzhou"), 1)], source=SHANGHAI)
    views = await registry.lanes.views(HANGZHOU)
    assert [view.lane for view in views] == lanes.lanes
    assert await lanes.view() == views[0]
    assert len(await registry.lanes.views(SUZHOU)) == 3
    with pytest.raises(LaneNotFound):
        await registry.lanes.view(99)


async def test_a_pause_raises_both_gates_and_says_why(registry: Registry) -> None:
    lanes = await opened(registry)
    assert not await registry.lanes.pause(key_of(), "an incident", ADMIN)
    view = await lanes.view()
    assert (view.lane.state, view.lane.pause_cause) == (LaneState.PAUSED, "an incident")
    assert (view.source.gate, view.destination.gate) == (2, 2)
    assert view.lane.revision == 2
    assert await registry.lanes.pause(key_of(), "another", ADMIN)
    assert await lanes.view() == view
    other = await registry.lanes.view(lanes.lanes[1].lane_id)
    assert (other.lane.state, other.source.gate) == (LaneState.OPEN, 1)


async def test_a_resume_raises_both_gates_and_takes_the_cause_away(registry: Registry) -> None:
    lanes = await opened(registry)
    assert await registry.lanes.resume(key_of(), ADMIN)
    await registry.lanes.pause(key_of(), "an incident", ADMIN)
    assert not await registry.lanes.resume(key_of(), ADMIN)
    view = await lanes.view()
    assert (view.lane.state, view.lane.pause_cause) == (LaneState.OPEN, "")
    assert (view.source.gate, view.destination.gate, view.lane.revision) == (3, 3, 3)
    assert await broken(registry) == {}


async def test_a_repeated_pause_does_not_undo_a_resume(registry: Registry) -> None:
    lanes = await opened(registry)
    assert not await registry.lanes.pause(key_of(), "an incident", asked("p1"))
    await registry.lanes.resume(key_of(), asked("p2"))
    assert await registry.lanes.pause(key_of(), "an incident", asked("p1"))
    assert (await lanes.view()).lane.state is LaneState.OPEN
    with pytest.raises(RequestIdReused):
        await registry.lanes.pause(key_of(), "another", asked("p1", b"other"))


async def test_an_unknown_lane_is_not_found(registry: Registry) -> None:
    with pytest.raises(LaneNotFound) as caught:
        await registry.lanes.get(key_of())
    assert caught.value.name == key_of().name
    with pytest.raises(LaneNotFound):
        await registry.lanes.pause(key_of(), "why", ADMIN)
    with pytest.raises(LaneNotFound):
        await registry.lanes.resume(key_of(), ADMIN)
    with pytest.raises(LaneNotFound):
        await registry.lanes.routes(key_of())
    with pytest.raises(LaneNotFound):
        await registry.lanes.set_route(route(key_of()), ADMIN)


async def test_a_route_is_as_it_was_set_last(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    await open_lanes(registry, routes=())
    first = route(
        key_of(),
        data_class="general",
        purpose="mobility 出行",
        max_payload_bytes=1024,
        max_timeout=Duration(3600 * SECOND),
    )
    assert not await registry.lanes.set_route(first, ADMIN)
    assert await registry.lanes.set_route(first, ADMIN)
    assert await registry.lanes.routes(key_of()) == [first]
    second = route(key_of(), action=RouteAction.DENY)
    assert not await registry.lanes.set_route(second, ADMIN)
    assert await registry.lanes.routes(key_of()) == [second]
    assert await broken(registry) == {}


async def details(registry: Registry, action: str) -> list[str]:
    """What the audit trail says of each *action*, in order."""
    if isinstance(registry, MemoryRegistry):
        return [one.detail for one in registry.state.audit_events if one.action == action]
    assert isinstance(registry, PostgresRegistry)
    query = "SELECT detail FROM audit_events WHERE action = $1 ORDER BY event_id"
    async with registry.database.line() as line:
        return [row["detail"] for row in await line.fetch(query, action)]


async def test_the_audit_trail_says_what_the_policy_of_a_route_is_now(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    await open_lanes(registry, routes=())
    words: dict[str, object] = {"data_class": "general", "purpose": 'mobility "出行"'}
    bounds: dict[str, object] = {"max_payload_bytes": 1024, "max_timeout": Duration(3600 * SECOND)}
    await registry.lanes.set_route(route(key_of(), "transfer", **words), ADMIN)
    limit = RateLimit(packets=100, period=SECOND, burst=500)
    await registry.lanes.limit_route(route(key_of()).key, limit, ADMIN)
    await registry.lanes.set_route(route(key_of(), "transfer", **words, **bounds), ADMIN)
    await registry.lanes.limit_route(route(key_of()).key, None, ADMIN)
    await registry.lanes.set_route(route(key_of(), action=RouteAction.DENY), ADMIN)
    meant = 'ALLOW; data class "general"; purpose "mobility \\"出行\\""'
    bounded = "payloads up to 1024 bytes; timeouts up to 3600000000000 ns"
    assert await details(registry, "route.set") == [
        meant,
        f"{meant}; {bounded}; 100 packets each 1000 ms, 500 at once",
        "DENY",
    ]


async def test_a_limit_stays_with_its_route_and_is_audited(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    await open_lanes(registry, routes=())
    first, limit = route(key_of()), RateLimit(packets=100, period=SECOND, burst=500)
    with pytest.raises(RouteNotFound):
        await registry.lanes.limit_route(first.key, limit, ADMIN)
    await registry.lanes.set_route(first, ADMIN)
    assert not await registry.lanes.limit_route(first.key, limit, ADMIN)
    assert await registry.lanes.limit_route(first.key, limit, ADMIN)
    assert await registry.lanes.routes(key_of()) == [replace(first, limit=limit)]
    assert await registry.lanes.set_route(first, ADMIN)
    denied = replace(first, action=RouteAction.DENY)
    assert not await registry.lanes.set_route(denied, ADMIN)
    assert await registry.lanes.routes(key_of()) == [replace(denied, limit=limit)]
    by = replace(ADMIN, request_id="free")
    assert not await registry.lanes.limit_route(first.key, None, by)
    await registry.lanes.limit_route(first.key, limit, ADMIN)
    assert await registry.lanes.limit_route(first.key, None, by)
    assert await registry.lanes.routes(key_of()) == [replace(denied, limit=limit)]
    assert await broken(registry) == {}


async def test_routes_are_listed_by_name_of_one_lane_or_of_all(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    await open_lanes(registry, routes=())
    made = [route(key_of().reverse, "b"), route(key_of(), "z.x"), route(key_of(), "data")]
    for one in made:
        await registry.lanes.set_route(one, ADMIN)
    assert await registry.lanes.routes(key_of()) == [made[2], made[1]]
    everything = await registry.lanes.routes(None)
    assert everything == sorted(made, key=lambda one: one.key.name)


async def test_a_repeated_request_to_set_a_route_does_not_undo_a_later_one(
    registry: Registry,
) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    await open_lanes(registry)
    denied = route(key_of(), action=RouteAction.DENY)
    await registry.lanes.set_route(denied, asked("s1"))
    allowed = route(key_of())
    await registry.lanes.set_route(allowed, asked("s2"))
    assert await registry.lanes.set_route(denied, asked("s1"))
    assert await registry.lanes.routes(key_of()) == [allowed]


async def test_a_draining_lane_accepts_nothing_and_is_closed_once_all_has_ended(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2)
    assert not await registry.lanes.drain(key_of(), "the last year", ADMIN)
    assert await registry.lanes.drain(key_of(), "again", ADMIN)
    view = await lanes.view()
    assert (view.state, view.lane.pause_cause) == (LaneState.DRAINING, "the last year")
    assert view.delivers
    assert not view.accepts
    with pytest.raises(GateChanged):
        await lanes.accept(3, gate=view.source.gate)
    await lanes.settle(1, gate=view.destination.gate)
    await lanes.settle(2, gate=view.destination.gate)
    assert (await lanes.view()).state is LaneState.DRAINING
    done = RangeSet.span(0, 2)
    await registry.outcomes.record_completed(lanes.source, lanes.lane, done)
    assert (await lanes.view()).state is LaneState.CLOSED
    assert await broken(registry) == {}


async def test_a_drained_lane_is_resumed(registry: Registry) -> None:
    lanes = await opened(registry)
    await registry.lanes.drain(key_of(), "the last year", ADMIN)
    assert (await lanes.view()).state is LaneState.CLOSED
    assert not await registry.lanes.resume(key_of(), ADMIN)
    view = await lanes.view()
    assert (view.state, view.lane.pause_cause) == (LaneState.OPEN, "")
    await lanes.accept(1, gate=view.source.gate)
    assert await broken(registry) == {}


async def test_a_draining_lane_is_paused_and_a_paused_one_drains(registry: Registry) -> None:
    lanes = await opened(registry)
    await registry.lanes.drain(key_of(), "the last year", ADMIN)
    await registry.lanes.pause(key_of(), "work", ADMIN)
    assert not (await lanes.view()).delivers
    await registry.lanes.drain(key_of(), "the last year", ADMIN, ends_pause=True)
    view = await lanes.view()
    assert view.delivers
    assert (view.source.gate, view.lane.revision) == (4, 4)
    assert await broken(registry) == {}


async def test_a_paused_lane_stays_paused_where_draining_must_not_end_that(
    registry: Registry,
) -> None:
    lanes, by = await opened(registry), asked("d1")
    await registry.lanes.pause(key_of(), "an incident", ADMIN)
    with pytest.raises(LanePaused) as caught:
        await registry.lanes.drain(key_of(), "the last year", by)
    assert caught.value.cause == "an incident"
    view = await lanes.view()
    assert (view.state, view.lane.pause_cause) == (LaneState.PAUSED, "an incident")
    assert not view.delivers
    assert await registry.lanes.pause(key_of(), "again", ADMIN)
    await registry.lanes.resume(key_of(), ADMIN)
    assert not await registry.lanes.drain(key_of(), "the last year", by)
    assert await registry.lanes.drain(key_of(), "again", ADMIN)
    assert await broken(registry) == {}


async def test_views_are_read_in_pages_and_by_id(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    keys = [(key, 1) for n in range(3) for key in (key_of(number=n), key_of(number=n).reverse)]
    lanes = [lane.lane_id for lane in await open_lanes(registry, keys)]
    views = await registry.lanes.views(HANGZHOU)
    assert [view.lane.lane_id for view in views] == lanes
    assert await registry.lanes.views(HANGZHOU, lanes[1], 3) == views[2:5]
    assert await registry.lanes.views(SUZHOU, lanes[-1], 3) == []
    assert await registry.lanes.views_of([lanes[4], 10_000, lanes[0]]) == [views[0], views[4]]
    assert await registry.lanes.views_of([]) == []
