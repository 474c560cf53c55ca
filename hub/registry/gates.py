"""Raise the gates of lanes, and say of each side whether anything may be recorded there by proof.

A side is stopped by what its own chain's proofs are worth, and a source's also by whether its lane
may accept. The statement reads what the same transaction has changed before. Its caller holds the
rows of the peers at both ends (``hold_peers``), so that no other change of a peer, client or lane
comes in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select, text

from hub.registry.tables.peers import peers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.core.ids import PeerId

STOPPED: Final = """
    c.frozen_at IS NOT NULL OR p.state <> 'ACTIVE'
    OR (s.side = 'SOURCE' AND (l.state <> 'OPEN' OR o.state <> 'ACTIVE'))
"""
"""Of a side *s* of lane *l*, its peer *p* and client *c*, and the destination *o*."""

_RAISE: Final = f"""
    WITH own AS (
        SELECT s.lane_id, s.side FROM lane_sides s JOIN lanes l USING (lane_id)
        WHERE {{which}}
        ORDER BY s.lane_id, s.side FOR NO KEY UPDATE OF s
    )
    UPDATE lane_sides s SET gate = s.gate + 1, stopped = ({STOPPED})
    FROM own
    JOIN lanes l USING (lane_id)
    JOIN peers o ON o.peer = l.destination_peer,
    hub_clients c JOIN peers p USING (peer)
    WHERE s.lane_id = own.lane_id AND s.side = own.side AND c.peer = s.peer
    RETURNING s.lane_id
"""  # noqa: S608 - our own parts
_OF_LANE: Final = text(_RAISE.format(which="s.lane_id = :lane_id"))
_OF_CLIENT: Final = text(
    _RAISE.format(which="s.peer = :peer AND :peer IN (l.source_peer, l.destination_peer)")
)
_OF_PEER: Final = text(
    _RAISE.format(
        which="""(s.peer = :peer AND :peer IN (l.source_peer, l.destination_peer))
            OR (s.side = 'SOURCE' AND l.destination_peer = :peer)"""
    )
)


async def hold_peers(connection: AsyncConnection, ends: Iterable[PeerId]) -> None:
    """No lease is taken, no client frozen and no lane turned meanwhile: all lock the peer."""
    query = select(peers.c.peer).where(peers.c.peer.in_(set(ends))).order_by(peers.c.peer)
    await connection.execute(query.with_for_update(key_share=True))


async def raise_lane(connection: AsyncConnection, lane_id: int) -> None:
    """The gates of both sides of the lane are raised."""
    await connection.execute(_OF_LANE, {"lane_id": lane_id})


async def raise_client(connection: AsyncConnection, peer: PeerId) -> Sequence[int]:
    """The gates of all sides that the peer's chain proves are raised; the ids of their lanes."""
    return (await connection.execute(_OF_CLIENT, {"peer": peer})).scalars().all()


async def raise_peer(connection: AsyncConnection, peer: PeerId) -> Sequence[int]:
    """As ``raise_client``, and of the sources of lanes that lead to the peer."""
    return (await connection.execute(_OF_PEER, {"peer": peer})).scalars().all()
