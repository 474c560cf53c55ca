"""Lanes, routes and openings in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from hub.core.errors import LaneNotFound, LaneNotOpen, LanePaused, RouteNotFound
from hub.core.lane import Lane, LaneState, LaneView, Route, RouteAction, RouteKey, Side
from hub.ports.lanes import MAX_VIEWS, Opening, OpeningState
from hub.ports.registry import Topic
from hub.registry.allowed import allowed_ports, words_of
from hub.registry.memory.state import LaneRow, LeaseRow, SideRow

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hub.core.errors import HubError
    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey, Order, RateLimit
    from hub.ports.caller import Caller
    from hub.ports.lanes import OpeningPlan
    from hub.registry.memory.state import State


_ACTIONS: Final = {
    LaneState.PAUSED: "lane.pause",
    LaneState.DRAINING: "lane.drain",
    LaneState.OPEN: "lane.resume",
}


class MemoryLanes:
    """``hub.ports.lanes.Lanes`` in memory."""

    def __init__(self, state: State) -> None:
        """The lanes of *state*."""
        self._state = state

    async def start_opening(self, plan: OpeningPlan, by: Caller) -> Opening:
        """As the port says."""
        state = self._state
        state.peer(plan.source)
        state.peer(plan.destination)
        again = state.repeated(by)
        if again is not None:
            return state.openings[int(again.result)][0]
        for opening, _ in state.openings.values():
            if opening.plan == plan and opening.state is not OpeningState.FAILED:
                state.carried_out(by, str(opening.number))
                return opening
        made = Opening(
            number=len(state.openings) + 1,
            plan=plan,
            state=OpeningState.RUNNING,
            step="",
            reason="",
            detail="",
            lanes=(),
        )
        state.openings[made.number] = (made, by.identity)
        state.carried_out(by, str(made.number))
        state.audit(
            by.identity, "lane.open", made.name, 1, f"peers/{plan.source} to {plan.destination}"
        )
        state.announce(Topic.LANES, "")
        return made

    async def opening(self, number: int) -> Opening:
        """As the port says."""
        return self._opening(number)[0]

    async def running_openings(self) -> Sequence[Opening]:
        """As the port says."""
        openings = [opening for opening, _ in self._state.openings.values()]
        return [opening for opening in openings if opening.state is OpeningState.RUNNING]

    async def note_opening(
        self, number: int, *, step: str, error: HubError | None, failed: bool
    ) -> None:
        """As the port says."""
        opening, author = self._opening(number)
        if opening.state is not OpeningState.RUNNING:
            return
        noted = replace(
            opening,
            step=step,
            reason=error.reason.value if error is not None else "",
            detail=str(error) if error is not None else "",
            state=OpeningState.FAILED if failed else OpeningState.RUNNING,
        )
        self._state.openings[number] = (noted, author)
        self._state.announce(Topic.LANES, "")

    async def finish_opening(self, number: int, lanes: Sequence[tuple[LaneKey, int]]) -> None:
        """As the port says."""
        opening, author = self._opening(number)
        if opening.state is not OpeningState.RUNNING:
            return
        for index, (key, first) in enumerate(lanes):
            if key not in self._state.lane_ids:
                self._open(key, first, opening.plan.order, author)
            for ports in allowed_ports(opening.plan.allow_routes, reverse=index > 0):
                self._allow(RouteKey(key, *ports), author)
        done = replace(
            opening,
            state=OpeningState.DONE,
            reason="",
            detail="",
            lanes=tuple([key for key, _ in lanes]),
        )
        self._state.openings[number] = (done, author)
        self._state.announce(Topic.LANES, "")

    async def get(self, key: LaneKey) -> Lane:
        """As the port says."""
        return self._state.lane_by_key(key).lane

    async def page(self, peer: PeerId | None, after: str, limit: int) -> Sequence[Lane]:
        """As the port says."""
        lanes = [
            row.lane
            for row in self._state.lanes.values()
            if str(row.lane.key) > after
            and (peer is None or peer in {row.lane.key.source_peer, row.lane.key.destination_peer})
        ]
        return sorted(lanes, key=lambda lane: str(lane.key))[:limit]

    async def view(self, lane_id: int) -> LaneView:
        """As the port says."""
        row = self._state.lane(lane_id)
        source, destination = [self._state.client(p).anchor.height for p in row.lane.key.peers]
        return LaneView(
            lane=row.lane,
            source=row.sides[Side.SOURCE].as_side(),
            destination=row.sides[Side.DESTINATION].as_side(),
            source_stopped=self._state.stopped_cause(row.lane.key.source_peer),
            destination_stopped=self._state.stopped_cause(row.lane.key.destination_peer),
            source_anchor=source.number,
            destination_anchor=destination.number,
            suspended=tuple([p for p in row.lane.key.peers if self._state.is_away(p)]),
            has_exceptions=bool(row.exceptions),
        )

    async def views(
        self, peer: PeerId, after: int = 0, limit: int = MAX_VIEWS
    ) -> Sequence[LaneView]:
        """As the port says."""
        ids = [
            lane_id
            for lane_id, row in sorted(self._state.lanes.items())
            if lane_id > after and peer in row.lane.key.peers
        ]
        return await self.views_of(ids[:limit])

    async def views_of(self, lane_ids: Collection[int]) -> Sequence[LaneView]:
        """As the port says."""
        known = sorted(self._state.lanes.keys() & set(lane_ids))
        return [await self.view(lane_id) for lane_id in known]

    async def pause(self, key: LaneKey, cause: str, by: Caller) -> bool:
        """As the port says."""
        return self._turn(key, LaneState.PAUSED, cause, by)

    async def drain(
        self, key: LaneKey, cause: str, by: Caller, *, ends_pause: bool = False
    ) -> bool:
        """As the port says."""
        return self._turn(key, LaneState.DRAINING, cause, by, ends_pause=ends_pause)

    async def resume(self, key: LaneKey, by: Caller) -> bool:
        """As the port says."""
        return self._turn(key, LaneState.OPEN, "", by)

    async def set_route(self, route: Route, by: Caller) -> bool:
        """As the port says."""
        state = self._state
        row = state.lane_by_key(route.key.lane)
        if state.repeated(by) is not None:
            return True
        state.carried_out(by)
        before = state.routes.get(route.key)
        route = replace(route, limit=before.limit if before is not None else None)
        if before == route:
            return True
        state.put_route(route, by.identity)
        state.announce(Topic.LANES, row.lane.lane_id)
        return False

    async def limit_route(self, key: RouteKey, limit: RateLimit | None, by: Caller) -> bool:
        """As the port says."""
        state = self._state
        row, before = state.lane_by_key(key.lane), state.routes.get(key)
        if before is None:
            raise RouteNotFound(name=key.name)
        if state.repeated(by) is not None:
            return True
        state.carried_out(by)
        if before.limit == limit:
            return True
        state.put_route(replace(before, limit=limit), by.identity, "route.limit", words_of(limit))
        state.announce(Topic.LANES, row.lane.lane_id)
        return False

    async def routes(self, key: LaneKey | None) -> Sequence[Route]:
        """As the port says."""
        if key is not None:
            self._state.lane_by_key(key)
        found = [r for r in self._state.routes.values() if key is None or r.key.lane == key]
        return sorted(found, key=lambda route: route.key.name)

    def _opening(self, number: int) -> tuple[Opening, str]:
        found = self._state.openings.get(number)
        if found is None:
            raise LaneNotFound(name=f"laneOpenings/{number}")
        return found

    def _turn(
        self, key: LaneKey, to: LaneState, cause: str, by: Caller, *, ends_pause: bool = True
    ) -> bool:
        """The lane, open in some way now, is in the state *to*; whether it was before."""
        state = self._state
        row = state.lane_by_key(key)
        if state.repeated(by) is not None:
            return True
        if row.lane.state not in _ACTIONS:
            raise LaneNotOpen(lane=key.name, state=row.lane.state)
        if row.lane.state is LaneState.PAUSED and not ends_pause:
            raise LanePaused(lane=key.name, cause=row.lane.pause_cause)
        state.carried_out(by)
        if row.lane.state is to:
            return True
        row.lane = replace(row.lane, state=to, pause_cause=cause, revision=row.lane.revision + 1)
        state.raise_gates(lambda lane, _: lane is row)
        state.audit(by.identity, _ACTIONS[to], key.name, row.lane.revision, cause)
        return False

    def _open(self, key: LaneKey, first: int, order: Order, author: str) -> None:
        state = self._state
        lane_id = len(state.lanes) + 1
        lane = Lane(
            lane_id=lane_id,
            key=key,
            state=LaneState.OPEN,
            order=order,
            first_sequence=first,
            pause_cause="",
            created_at=state.now(),
            revision=1,
        )
        ends = {Side.SOURCE: key.source_peer, Side.DESTINATION: key.destination_peer}
        sides = {
            side: SideRow(
                peer=peer,
                epoch=state.leases.get(peer, LeaseRow()).epoch,
                stopped=state.is_stopped(lane, side, peer),
            )
            for side, peer in ends.items()
        }
        state.lanes[lane_id] = LaneRow(lane=lane, sides=sides)
        state.lane_ids[key] = lane_id
        state.audit(author, "lane.opened", key.name, 1, f"from sequence {first}")
        state.announce(Topic.LANES, lane_id)

    def _allow(self, key: RouteKey, author: str) -> None:
        if key not in self._state.routes:
            self._state.put_route(Route(key=key, action=RouteAction.ALLOW), author)
