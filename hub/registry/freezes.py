"""The part of ``hub.ports.clients.Clients`` that stops clients and starts them again, in Postgres.

With the evidence that stopped them, and where it was carried.
"""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, literal_column, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from hub.core.client import check_began, check_recovery
from hub.core.errors import ClientNotFound, EvidenceNotFound, Reason
from hub.ports.clients import Evidence
from hub.ports.registry import Change, Topic
from hub.registry.gates import hold_peers, raise_client
from hub.registry.headers import latest_state
from hub.registry.leases import check_lease
from hub.registry.moments import timestamp
from hub.registry.records import anchor_of, anchor_values, hub_client_of
from hub.registry.tables.clients import carried_evidence, chain_clients, evidence, hub_clients
from hub.registry.tables.peers import peers
from hub.registry.trail import audit, claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.core.client import Anchor
    from hub.core.ids import ClientId, PeerId
    from hub.core.time import Timestamp
    from hub.ports.caller import Caller
    from hub.ports.leases import Fence
    from hub.ports.registry import Changes
    from hub.registry.engine import Database
    from hub.registry.records import Row

_STOP: Final = text(
    """
    WITH own AS (
        SELECT s.lane_id, s.side FROM lane_sides s JOIN lanes l USING (lane_id)
        WHERE s.peer = :peer AND (l.source_peer = :peer OR l.destination_peer = :peer)
        ORDER BY s.lane_id, s.side FOR NO KEY UPDATE OF s
    )
    UPDATE lane_sides s SET gate = s.gate + 1, stopped = true FROM own
    WHERE s.lane_id = own.lane_id AND s.side = own.side
    RETURNING s.lane_id
    """
)
_STANDING: Final = or_(
    hub_clients.c.recovered_at.is_(None), evidence.c.recorded_at > hub_clients.c.recovered_at
)


class Freezes:
    """Hub clients that are stopped, and that start again."""

    def __init__(self, database: Database, changes: Changes) -> None:
        """The clients of *database*."""
        self._database = database
        self._changes = changes

    async def freeze(
        self,
        peer: PeerId,
        cause: str,
        evidence: tuple[Reason, bytes, bytes] | None,
        by: Caller,
        under: Anchor | None = None,
    ) -> bool:
        """As the port says."""
        async with self._database.transaction() as connection:
            # No lane is opened and no lease taken meanwhile: both lock the peer.
            lock = select(peers.c.peer).where(peers.c.peer == peer).with_for_update(read=True)
            await connection.execute(lock)
            client = await read_client(connection, select(hub_clients).with_for_update(), peer)
            if under is not None:
                check_began(f"peers/{peer}/client", anchor_of(client), under)
            again = await claim(connection, by)
            if evidence is not None:
                await _keep(connection, peer, evidence)
            if again is not None or client.frozen_at is not None:
                return True
            stopped = (await connection.execute(_STOP, {"peer": peer})).scalars().all()
            # Last, so that its time is after that of everything that was recorded before it.
            await connection.execute(
                update(hub_clients)
                .where(hub_clients.c.peer == peer)
                .values(frozen_at=func.clock_timestamp(), frozen_cause=cause)
            )
            await audit(connection, by, "client.freeze", f"peers/{peer}/client", detail=cause)
        self._announce(peer, stopped)
        return False

    async def recover(
        self, peer: PeerId, anchor: Anchor, now: Timestamp, cause: str, by: Caller
    ) -> bool:
        """As the port says."""
        async with self._database.transaction() as connection:
            await hold_peers(connection, [peer])
            row = await read_client(connection, select(hub_clients).with_for_update(), peer)
            client = hub_client_of(row, await latest_state(connection, peer))
            if await claim(connection, by) is not None or client.has_started(anchor, now):
                return True
            check_recovery(client, anchor, now)
            await connection.execute(
                update(hub_clients)
                .where(hub_clients.c.peer == peer)
                .values(
                    frozen_at=None,
                    frozen_cause="",
                    recovered_at=func.clock_timestamp(),
                    **anchor_values(anchor),
                )
            )
            raised = await raise_client(connection, peer)
            detail = f"{cause}; {client.recovery_detail(anchor, now)}"
            await audit(connection, by, "client.recover", client.name, detail=detail)
        self._announce(peer, raised)
        return False

    async def note_carried(self, fence: Fence, peer: PeerId, number: int, client: ClientId) -> None:
        """As the port says."""
        async with self._database.transaction() as connection:
            await check_lease(connection, fence)
            kept = select(evidence.c.number).where(
                evidence.c.peer == peer, evidence.c.number == number
            )
            if (await connection.execute(kept)).one_or_none() is None:
                raise EvidenceNotFound(name=f"peers/{peer}/client/evidence/{number}")
            mirror = select(chain_clients.c.client).where(
                chain_clients.c.peer == fence.peer, chain_clients.c.client == client
            )
            if (await connection.execute(mirror)).one_or_none() is None:
                raise ClientNotFound(name=f"peers/{fence.peer}/clients/{client}")
            await connection.execute(
                insert(carried_evidence)
                .values(peer=peer, number=number, chain_peer=fence.peer, client=client)
                .on_conflict_do_nothing()
            )

    async def evidence(self, peer: PeerId, *, standing: bool = False) -> Sequence[Evidence]:
        """As the port says."""
        query = select(evidence).where(evidence.c.peer == peer).order_by(evidence.c.number)
        if standing:
            query = query.join(hub_clients, hub_clients.c.peer == evidence.c.peer).where(_STANDING)
        carried = (
            select(carried_evidence)
            .where(carried_evidence.c.peer == peer)
            .order_by(carried_evidence.c.chain_peer, carried_evidence.c.client)
        )
        to: defaultdict[int, list[tuple[PeerId, ClientId]]] = defaultdict(list)
        async with self._database.transaction() as connection:
            for row in await connection.execute(carried):
                to[row.number].append((row.chain_peer, row.client))
            return [
                Evidence(
                    reason=Reason(row.reason),
                    first=row.first,
                    second=row.second,
                    recorded_at=timestamp(row.recorded_at),
                    number=row.number,
                    carried_to=tuple(to[row.number]),
                )
                for row in await connection.execute(query)
            ]

    def _announce(self, peer: PeerId, lane_ids: Iterable[int]) -> None:
        self._changes.announce(Change(Topic.PEERS, peer))
        for lane_id in sorted(set(lane_ids)):
            self._changes.announce(Change(Topic.LANES, str(lane_id)))


async def read_client(connection: AsyncConnection, query: Select[Any], peer: PeerId) -> Row:
    """The row of ``hub_clients``. Raises ``ClientNotFound``."""
    row = (await connection.execute(query.where(hub_clients.c.peer == peer))).one_or_none()
    if row is None:
        raise ClientNotFound(name=f"peers/{peer}/client")
    return row


async def _keep(
    connection: AsyncConnection, peer: PeerId, found: tuple[Reason, bytes, bytes]
) -> None:
    """The evidence is stored, once. The peer's client is locked."""
    reason, first, second = found
    parts = (reason.encode(), first, second)
    digest = sha256(b"".join([sha256(part).digest() for part in parts])).digest()
    count = select(func.count() + literal_column("1")).where(evidence.c.peer == peer)
    await connection.execute(
        insert(evidence)
        .values(
            peer=peer,
            number=count.scalar_subquery(),
            reason=reason,
            first=first,
            second=second,
            digest=digest,
        )
        .on_conflict_do_nothing(constraint="uq_evidence_peer_digest")
    )
