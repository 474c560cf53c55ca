"""Lanes and their routes in Postgres; openings.py has the rest of the port."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from hub.core.errors import LaneNotFound, LaneNotOpen, LanePaused, RouteNotFound
from hub.core.lane import LaneState, LaneView
from hub.ports.lanes import MAX_VIEWS
from hub.ports.registry import Change, Topic
from hub.registry.allowed import words_of, words_of_route
from hub.registry.gates import hold_peers, raise_lane
from hub.registry.openings import Openings
from hub.registry.records import lane_of, limit_of, limit_values, route_of, route_values, side_of
from hub.registry.tables.lanes import lanes, routes
from hub.registry.trail import audit, claim

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.core.ids import PeerId
    from hub.core.lane import Lane, LaneKey, RateLimit, Route, RouteKey
    from hub.ports.caller import Caller

_SIDE: Final = """
SELECT s.epoch, s.gate, s.outcome_count, s.reopened_count,
    (s.done - coalesce((
        SELECT range_agg(int8range(low, high)) FROM closed_holes h
        WHERE h.lane_id = s.lane_id AND h.side = s.side AND h.kind = 'DONE'), '{}'))::text AS done,
    (s.progress - coalesce((
        SELECT range_agg(int8range(low, high)) FROM closed_holes h
        WHERE h.lane_id = s.lane_id AND h.side = s.side AND h.kind = 'PROGRESS'), '{}'))::text
        AS progress
FROM lane_sides s WHERE s.lane_id = l.lane_id AND s.side = """
_STOPPED: Final = """
SELECT CASE
    WHEN c.frozen_at IS NOT NULL THEN coalesce(nullif(c.frozen_cause, ''), 'frozen')
    WHEN p.state <> 'ACTIVE'
        THEN concat_ws(': ', 'the peer is ' || lower(p.state), nullif(p.suspend_cause, ''))
    ELSE '' END AS cause,
    p.state <> 'ACTIVE' AS is_away, c.anchor_height
FROM peers p JOIN hub_clients c USING (peer) WHERE p.peer = """
VIEW: Final = f"""
SELECT l.*,
    s.epoch AS source_epoch, s.gate AS source_gate, s.outcome_count AS source_outcome_count,
    s.done AS source_done, s.progress AS source_progress, sp.cause AS source_stopped,
    d.epoch AS destination_epoch, d.gate AS destination_gate,
    d.outcome_count AS destination_outcome_count, d.done AS destination_done,
    d.progress AS destination_progress, dp.cause AS destination_stopped,
    s.reopened_count AS source_reopened_count, d.reopened_count AS destination_reopened_count,
    sp.is_away AS source_away, dp.is_away AS destination_away,
    sp.anchor_height AS source_anchor, dp.anchor_height AS destination_anchor,
    EXISTS (SELECT FROM exceptions e WHERE e.lane_id = l.lane_id) AS has_exceptions
FROM lanes l
JOIN LATERAL ({_SIDE} 'SOURCE') s ON true
JOIN LATERAL ({_SIDE} 'DESTINATION') d ON true
JOIN LATERAL ({_STOPPED} l.source_peer) sp ON true
JOIN LATERAL ({_STOPPED} l.destination_peer) dp ON true
"""  # noqa: S608 - our own parts
_VIEW_ONE: Final = f"{VIEW} WHERE l.lane_id = $1"
_VIEWS: Final = f"{VIEW} WHERE l.lane_id = ANY($1::bigint[]) ORDER BY l.lane_id"
_OF_PEER: Final = """FROM (
    SELECT * FROM lanes WHERE (source_peer = $1 OR destination_peer = $1) AND lane_id > $2
    ORDER BY lane_id LIMIT $3
) l"""
_VIEW_PEER: Final = f"{VIEW.replace('FROM lanes l', _OF_PEER)} ORDER BY l.lane_id"

_TURNABLE: Final = frozenset({LaneState.OPEN, LaneState.PAUSED, LaneState.DRAINING})
_ACTIONS: Final = {
    LaneState.PAUSED: "lane.pause",
    LaneState.DRAINING: "lane.drain",
    LaneState.OPEN: "lane.resume",
}


class PostgresLanes(Openings):
    """``hub.ports.lanes.Lanes`` in Postgres."""

    async def get(self, key: LaneKey) -> Lane:
        """As the port says."""
        async with self._database.transaction() as connection:
            return await _read(connection, key)

    async def page(self, peer: PeerId | None, after: str, limit: int) -> Sequence[Lane]:
        """As the port says."""
        query = select(lanes).where(lanes.c.name > after).order_by(lanes.c.name).limit(limit)
        if peer is not None:
            query = query.where(or_(lanes.c.source_peer == peer, lanes.c.destination_peer == peer))
        async with self._database.transaction() as connection:
            return [lane_of(row) for row in (await connection.execute(query)).mappings()]

    async def view(self, lane_id: int) -> LaneView:
        """As the port says."""
        async with self._database.line() as line:
            row = await line.fetchrow(_VIEW_ONE, lane_id)
        if row is None:
            raise LaneNotFound(name=f"lane {lane_id}")
        return _view(row)

    async def views(
        self, peer: PeerId, after: int = 0, limit: int = MAX_VIEWS
    ) -> Sequence[LaneView]:
        """As the port says."""
        async with self._database.line() as line:
            return [_view(row) for row in await line.fetch(_VIEW_PEER, peer, after, limit)]

    async def views_of(self, lane_ids: Collection[int]) -> Sequence[LaneView]:
        """As the port says."""
        async with self._database.line() as line:
            return [_view(row) for row in await line.fetch(_VIEWS, list(lane_ids))]

    async def pause(self, key: LaneKey, cause: str, by: Caller) -> bool:
        """As the port says."""
        return await self._turn(key, LaneState.PAUSED, cause, by)

    async def drain(
        self, key: LaneKey, cause: str, by: Caller, *, ends_pause: bool = False
    ) -> bool:
        """As the port says."""
        return await self._turn(key, LaneState.DRAINING, cause, by, ends_pause=ends_pause)

    async def resume(self, key: LaneKey, by: Caller) -> bool:
        """As the port says."""
        return await self._turn(key, LaneState.OPEN, "", by)

    async def set_route(self, route: Route, by: Caller) -> bool:
        """As the port says."""
        key, values = route.key, route_values(route)
        async with self._database.transaction() as connection:
            lane = await _read(connection, key.lane)
            if await claim(connection, by) is not None:
                return True
            ports = {"source_port": key.source_port, "destination_port": key.destination_port}
            changed = or_(*[routes.c[name].is_distinct_from(values[name]) for name in values])
            stored = await connection.execute(
                insert(routes)
                .values(lane_id=lane.lane_id, **ports, **values)
                .on_conflict_do_update(
                    constraint=routes.primary_key,
                    set_={**values, "revision": routes.c.revision + 1},
                    where=changed,
                )
                .returning(routes)
            )
            row = stored.one_or_none()
            if row is None:
                return True
            detail = words_of_route(replace(route, limit=limit_of(row)))
            await audit(connection, by, "route.set", key.name, revision=row.revision, detail=detail)
        self._changes.announce(Change(Topic.LANES, str(lane.lane_id)))
        return False

    async def limit_route(self, key: RouteKey, limit: RateLimit | None, by: Caller) -> bool:
        """As the port says."""
        async with self._database.transaction() as connection:
            lane = await _read(connection, key.lane)
            ports = (key.source_port, key.destination_port)
            found = and_(
                routes.c.lane_id == lane.lane_id,
                tuple_(routes.c.source_port, routes.c.destination_port) == ports,
            )
            if not (await connection.execute(select(routes.c.revision).where(found))).first():
                raise RouteNotFound(name=key.name)
            if await claim(connection, by) is not None:
                return True
            values = limit_values(limit)
            changed = or_(*[routes.c[name] != value for name, value in values.items()])
            revision = (
                await connection.execute(
                    update(routes)
                    .where(found, changed)
                    .values(**values, revision=routes.c.revision + 1)
                    .returning(routes.c.revision)
                )
            ).scalar_one_or_none()
            if revision is None:
                return True
            detail = words_of(limit)
            await audit(connection, by, "route.limit", key.name, revision=revision, detail=detail)
        self._changes.announce(Change(Topic.LANES, str(lane.lane_id)))
        return False

    async def routes(self, key: LaneKey | None) -> Sequence[Route]:
        """As the port says."""
        query = select(routes, lanes.c.name.label("lane_name")).join(lanes)
        if key is not None:
            query = query.where(lanes.c.name == str(key))
        async with self._database.transaction() as connection:
            if key is not None:
                await _read(connection, key)
            found = [route_of(row) for row in await connection.execute(query)]
        return sorted(found, key=lambda route: route.key.name)

    async def _turn(
        self, key: LaneKey, to: LaneState, cause: str, by: Caller, *, ends_pause: bool = True
    ) -> bool:
        """The lane, open in some way now, is in the state *to*; whether it was before."""
        async with self._database.transaction() as connection:
            await hold_peers(connection, key.peers)
            lane = await _read(connection, key, lock=True)
            if await claim(connection, by) is not None:
                return True
            if lane.state not in _TURNABLE:
                raise LaneNotOpen(lane=key.name, state=lane.state)
            if lane.state is to:
                return True
            if lane.state is LaneState.PAUSED and not ends_pause:
                raise LanePaused(lane=key.name, cause=lane.pause_cause)
            revision = lane.revision + 1
            await connection.execute(
                update(lanes)
                .where(lanes.c.lane_id == lane.lane_id)
                .values(state=to, pause_cause=cause, revision=revision)
            )
            await raise_lane(connection, lane.lane_id)
            await audit(connection, by, _ACTIONS[to], key.name, revision=revision, detail=cause)
        self._changes.announce(Change(Topic.LANES, str(lane.lane_id)))
        return False


async def _read(connection: AsyncConnection, key: LaneKey, *, lock: bool = False) -> Lane:
    query = select(lanes).where(lanes.c.name == str(key))
    if lock:
        query = query.with_for_update(key_share=True)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise LaneNotFound(name=key.name)
    return lane_of(row)


def _view(row: Mapping[str, Any]) -> LaneView:
    lane = lane_of(row)
    away = zip(lane.key.peers, (row["source_away"], row["destination_away"]), strict=True)
    return LaneView(
        lane=lane,
        source=side_of(row, "source"),
        destination=side_of(row, "destination"),
        source_stopped=row["source_stopped"],
        destination_stopped=row["destination_stopped"],
        source_anchor=row["source_anchor"],
        destination_anchor=row["destination_anchor"],
        suspended=tuple([peer for peer, is_away in away if is_away]),
        has_exceptions=row["has_exceptions"],
    )
