"""Openings of lanes in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from hub.core.errors import LaneNotFound, PeerNotFound
from hub.core.lane import LaneState, RouteAction, RouteKey
from hub.ports.caller import Caller
from hub.ports.lanes import OpeningState
from hub.ports.registry import Change, Topic
from hub.registry.allowed import allowed_ports
from hub.registry.gates import STOPPED, hold_peers
from hub.registry.records import opening_of, plan_values
from hub.registry.tables.lanes import lane_openings, lanes, routes
from hub.registry.tables.peers import peers
from hub.registry.trail import audit, claim, set_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.core.errors import HubError
    from hub.core.lane import LaneKey
    from hub.ports.lanes import Opening, OpeningPlan
    from hub.ports.registry import Changes
    from hub.registry.engine import Database
    from hub.registry.records import Row

_SIDES: Final = text(
    f"""
    INSERT INTO lane_sides (lane_id, side, peer, epoch, stopped)
    SELECT l.lane_id, s.side, s.peer, coalesce(e.epoch, 0), ({STOPPED})
    FROM lanes l
    JOIN peers o ON o.peer = l.destination_peer
    CROSS JOIN LATERAL (
        VALUES ('SOURCE', l.source_peer), ('DESTINATION', l.destination_peer)
    ) AS s (side, peer)
    JOIN hub_clients c ON c.peer = s.peer
    JOIN peers p ON p.peer = s.peer
    LEFT JOIN leases e ON e.peer = s.peer
    WHERE l.lane_id = :lane_id
    """  # noqa: S608 - our own parts
)


class Openings:
    """The part of ``hub.ports.lanes.Lanes`` that opens lanes."""

    def __init__(self, database: Database, changes: Changes) -> None:
        """The lanes of *database*."""
        self._database = database
        self._changes = changes

    async def start_opening(self, plan: OpeningPlan, by: Caller) -> Opening:
        """As the port says."""
        async with self._database.transaction() as connection:
            await _check_peers(connection, plan)
            again = await claim(connection, by)
            if again is not None:
                return opening_of(await _opening(connection, int(again)))
            values = plan_values(plan)
            made = await connection.execute(
                insert(lane_openings)
                .values(author=by.identity, **values)
                .on_conflict_do_nothing()
                .returning(lane_openings.c.number)
            )
            number = made.scalar_one_or_none()
            is_new = number is not None
            if number is None:
                same = (lane_openings.c.plan == values["plan"], lane_openings.c.state != "FAILED")
                query = select(lane_openings.c.number).where(*same)
                number = (await connection.execute(query)).scalar_one()
            await set_result(connection, by, str(number))
            opening = opening_of(await _opening(connection, number))
            if is_new:
                detail = f"peers/{plan.source} to peers/{plan.destination}"
                await audit(connection, by, "lane.open", opening.name, detail=detail)
        if is_new:
            self._changes.announce(Change(Topic.LANES, ""))
        return opening

    async def opening(self, number: int) -> Opening:
        """As the port says."""
        async with self._database.transaction() as connection:
            return opening_of(await _opening(connection, number))

    async def running_openings(self) -> Sequence[Opening]:
        """As the port says."""
        query = (
            select(lane_openings)
            .where(lane_openings.c.state == OpeningState.RUNNING)
            .order_by(lane_openings.c.number)
        )
        async with self._database.transaction() as connection:
            return [opening_of(row) for row in await connection.execute(query)]

    async def note_opening(
        self, number: int, *, step: str, error: HubError | None, failed: bool
    ) -> None:
        """As the port says."""
        async with self._database.transaction() as connection:
            opening = await _opening(connection, number, lock=True)
            if opening.state != OpeningState.RUNNING:
                return
            await connection.execute(
                update(lane_openings)
                .where(lane_openings.c.number == number)
                .values(
                    step=step,
                    reason=error.reason if error is not None else "",
                    detail=str(error) if error is not None else "",
                    state=OpeningState.FAILED if failed else OpeningState.RUNNING,
                )
            )
        self._changes.announce(Change(Topic.LANES, ""))

    async def finish_opening(self, number: int, lanes: Sequence[tuple[LaneKey, int]]) -> None:
        """As the port says."""
        opened: list[int] = []
        async with self._database.transaction() as connection:
            row = await _opening(connection, number, lock=True)
            if row.state != OpeningState.RUNNING:
                return
            await hold_peers(connection, [peer for key, _ in lanes for peer in key.peers])
            author = Caller(identity=row.author)
            opening = opening_of(row)
            for index, (key, first) in enumerate(lanes):
                lane_id = await _open(connection, key, first, opening, author)
                if lane_id is not None:
                    opened.append(lane_id)
                ports = allowed_ports(opening.plan.allow_routes, reverse=index > 0)
                await _allow(connection, [RouteKey(key, *pair) for pair in ports], author)
            await connection.execute(
                update(lane_openings)
                .where(lane_openings.c.number == number)
                .values(
                    state=OpeningState.DONE,
                    reason="",
                    detail="",
                    lanes=[str(key) for key, _ in lanes],
                )
            )
        for changed in ["", *map(str, opened)]:
            self._changes.announce(Change(Topic.LANES, changed))


async def _check_peers(connection: AsyncConnection, plan: OpeningPlan) -> None:
    ends = [plan.source, plan.destination]
    query = select(peers.c.peer).where(peers.c.peer.in_(ends))
    known = set((await connection.execute(query)).scalars())
    for peer in ends:
        if peer not in known:
            raise PeerNotFound(name=f"peers/{peer}")


async def _opening(connection: AsyncConnection, number: int, *, lock: bool = False) -> Row:
    query = select(lane_openings).where(lane_openings.c.number == number)
    if lock:
        query = query.with_for_update(key_share=True)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise LaneNotFound(name=f"laneOpenings/{number}")
    return row


async def _open(
    connection: AsyncConnection, key: LaneKey, first: int, opening: Opening, author: Caller
) -> int | None:
    """The id of the lane, which is new; None if it stood there before."""
    made = await connection.execute(
        insert(lanes)
        .values(
            name=str(key),
            source_peer=key.source_peer,
            source_client=key.source_client,
            destination_peer=key.destination_peer,
            destination_client=key.destination_client,
            state=LaneState.OPEN,
            ordering=opening.plan.order,
            first_sequence=first,
        )
        .on_conflict_do_nothing()
        .returning(lanes.c.lane_id)
    )
    lane_id: int | None = made.scalar_one_or_none()
    if lane_id is not None:
        await connection.execute(_SIDES, {"lane_id": lane_id})
        detail = f"from sequence {first}"
        await audit(connection, author, "lane.opened", key.name, detail=detail)
    return lane_id


async def _allow(connection: AsyncConnection, keys: Sequence[RouteKey], author: Caller) -> None:
    """The routes that have no policy yet are allowed."""
    for key in keys:
        lane_id = select(lanes.c.lane_id).where(lanes.c.name == str(key.lane)).scalar_subquery()
        made = await connection.execute(
            insert(routes)
            .values(
                lane_id=lane_id,
                source_port=key.source_port,
                destination_port=key.destination_port,
                action=RouteAction.ALLOW,
            )
            .on_conflict_do_nothing()
            .returning(routes.c.revision)
        )
        if made.scalar_one_or_none() is not None:
            await audit(connection, author, "route.set", key.name, detail=RouteAction.ALLOW)
