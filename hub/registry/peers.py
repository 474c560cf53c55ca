"""Peers in Postgres."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from hub.core.errors import IllegalMove, PeerExists, PeerNotFound
from hub.core.peer import PeerState
from hub.ports.registry import Change, Topic
from hub.registry.gates import hold_peers, raise_peer
from hub.registry.records import anchor_values, peer_of
from hub.registry.tables.clients import hub_clients
from hub.registry.tables.peers import peers
from hub.registry.trail import audit, claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.core.client import Anchor
    from hub.core.ids import PeerId
    from hub.core.peer import Peer
    from hub.ports.caller import Caller
    from hub.ports.registry import Changes
    from hub.registry.engine import Database

_WITH_ANCHOR = select(
    peers, *[column for column in hub_clients.c if column.name != "peer"]
).select_from(peers.join(hub_clients, peers.c.peer == hub_clients.c.peer))


class PostgresPeers:
    """``hub.ports.peers.Peers`` in Postgres."""

    def __init__(self, database: Database, changes: Changes) -> None:
        """The peers of *database*."""
        self._database = database
        self._changes = changes

    async def register(
        self, peer: PeerId, display_name: str, anchor: Anchor, by: Caller
    ) -> tuple[Peer, bool]:
        """As the port says."""
        async with self._database.transaction() as connection:
            await claim(connection, by)
            made = await connection.execute(
                insert_or(peers)
                .values(peer=peer, display_name=display_name, state=PeerState.ACTIVE)
                .on_conflict_do_nothing()
                .returning(peers.c.peer)
            )
            is_new = made.scalar_one_or_none() is not None
            if is_new:
                await connection.execute(
                    insert(hub_clients).values(peer=peer, **anchor_values(anchor))
                )
                await audit(connection, by, "peer.register", f"peers/{peer}", detail=display_name)
            found = await _read(connection, peer)
            if (found.display_name, found.anchor) != (display_name, anchor):
                raise PeerExists(name=found.name)
        if is_new:
            self._changes.announce(Change(Topic.PEERS, peer))
        return found, not is_new

    async def get(self, peer: PeerId) -> Peer:
        """As the port says."""
        async with self._database.transaction() as connection:
            return await _read(connection, peer)

    async def suspend(self, peer: PeerId, cause: str, by: Caller) -> bool:
        """As the port says."""
        return await self._turn(peer, PeerState.SUSPENDED, cause, by)

    async def resume(self, peer: PeerId, cause: str, by: Caller) -> bool:
        """As the port says."""
        return await self._turn(peer, PeerState.ACTIVE, cause, by)

    async def page(self, after: str, limit: int) -> Sequence[Peer]:
        """As the port says."""
        query = _WITH_ANCHOR.where(peers.c.peer > after).order_by(peers.c.peer).limit(limit)
        async with self._database.transaction() as connection:
            return [peer_of(row) for row in await connection.execute(query)]

    async def _turn(self, peer: PeerId, to: PeerState, cause: str, by: Caller) -> bool:
        """The peer, ACTIVE or SUSPENDED now, is in the state *to*; whether it was before."""
        is_suspended = to is PeerState.SUSPENDED
        verb = "suspend" if is_suspended else "resume"
        async with self._database.transaction() as connection:
            await hold_peers(connection, [peer])
            found = await _read(connection, peer)
            if await claim(connection, by) is not None or found.state is to:
                return True
            if found.state not in {PeerState.ACTIVE, PeerState.SUSPENDED}:
                raise IllegalMove(state=found.state, event=verb)
            revision = found.revision + 1
            suspend_cause = cause if is_suspended else ""
            await connection.execute(
                update(peers)
                .where(peers.c.peer == peer)
                .values(state=to, suspend_cause=suspend_cause, revision=revision)
            )
            changed = await raise_peer(connection, peer)
            action = f"peer.{verb}"
            await audit(connection, by, action, found.name, revision=revision, detail=cause)
        self._changes.announce(Change(Topic.PEERS, peer))
        for lane_id in sorted(set(changed)):
            self._changes.announce(Change(Topic.LANES, str(lane_id)))
        return False


async def _read(connection: AsyncConnection, peer: PeerId) -> Peer:
    row = (await connection.execute(_WITH_ANCHOR.where(peers.c.peer == peer))).one_or_none()
    if row is None:
        raise PeerNotFound(name=f"peers/{peer}")
    return peer_of(row)
