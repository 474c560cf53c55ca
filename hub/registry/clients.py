"""Clients and headers in Postgres; freezes.py has the rest of the port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, literal_column, select
from sqlalchemy.dialects.postgresql import insert

from hub.core.client import check_began
from hub.core.errors import ClientFrozen, ClientNotFound, LeaseLost
from hub.ports.registry import Change, Topic
from hub.registry.freezes import Freezes, read_client
from hub.registry.header_writes import HeaderWrites
from hub.registry.headers import CLIENTS, HEADERS, STATE, client_of, store_headers
from hub.registry.leases import check_lease
from hub.registry.reads import Read
from hub.registry.records import (
    anchor_of,
    chain_client_of,
    chain_client_values,
    header_of,
    state_of,
)
from hub.registry.tables.clients import (
    chain_clients,
    headers,
    hub_clients,
    validator_sets,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor, ChainClient, ConsensusState, HubClient, VerifiedHeader
    from hub.core.ids import ClientId, PeerId
    from hub.ports.leases import Fence
    from hub.ports.registry import Changes
    from hub.registry.engine import Database

_PEER: Final = headers.c.peer == bindparam("peer")
_HEIGHT: Final = bindparam("height", type_=headers.c.height.type)
_CLIENT: Final = Read(CLIENTS.where(hub_clients.c.peer == bindparam("peer")))
_AT: Final = Read(HEADERS.where(_PEER, headers.c.height == _HEIGHT))
_AT_OR_BELOW: Final = Read(
    HEADERS.where(_PEER, headers.c.height <= _HEIGHT)
    .order_by(headers.c.height.desc())
    .limit(literal_column("1"))
)
_ABOVE: Final = Read(
    HEADERS.where(_PEER, headers.c.height > _HEIGHT)
    .order_by(headers.c.height)
    .limit(literal_column("1"))
)
_STATE_AT: Final = Read(select(*STATE).where(_PEER, headers.c.height == _HEIGHT))
_SET: Final = Read(
    select(validator_sets.c.content).where(validator_sets.c.digest == bindparam("digest"))
)


class PostgresClients(Freezes):
    """``hub.ports.clients.Clients`` in Postgres."""

    def __init__(self, database: Database, changes: Changes) -> None:
        """The clients of *database*."""
        super().__init__(database, changes)
        self._writes = HeaderWrites(database)

    async def hub_client(self, peer: PeerId) -> HubClient:
        """As the port says."""
        row = await _CLIENT.one(self._database, peer)
        if row is None:
            raise ClientNotFound(name=f"peers/{peer}/client")
        return client_of(row)

    async def hub_clients(self, after: str, limit: int) -> Sequence[HubClient]:
        """As the port says."""
        query = CLIENTS.where(hub_clients.c.peer > after).order_by(hub_clients.c.peer).limit(limit)
        async with self._database.transaction() as connection:
            return [client_of(row) for row in await connection.execute(query)]

    async def frozen(self) -> Sequence[PeerId]:
        """As the port says."""
        query = select(hub_clients.c.peer).where(hub_clients.c.frozen_at.is_not(None))
        async with self._database.transaction() as connection:
            return list((await connection.execute(query.order_by(hub_clients.c.peer))).scalars())

    async def header(self, peer: PeerId, height: int) -> VerifiedHeader | None:
        """As the port says."""
        return await self._header(_AT, peer, height)

    async def header_at_or_below(self, peer: PeerId, height: int) -> VerifiedHeader | None:
        """As the port says."""
        return await self._header(_AT_OR_BELOW, peer, height)

    async def header_above(self, peer: PeerId, height: int) -> VerifiedHeader | None:
        """As the port says."""
        return await self._header(_ABOVE, peer, height)

    async def heights(self, peer: PeerId, low: int, high: int) -> Sequence[int]:
        """As the port says."""
        query = (
            select(headers.c.height)
            .where(headers.c.peer == peer, headers.c.height.between(low, high))
            .order_by(headers.c.height)
        )
        async with self._database.transaction() as connection:
            return list((await connection.execute(query)).scalars())

    async def consensus_state(self, peer: PeerId, height: int) -> ConsensusState | None:
        """As the port says."""
        row = await _STATE_AT.one(self._database, peer, height)
        return state_of(row) if row is not None else None

    async def validators(self, digest: bytes) -> bytes | None:
        """As the port says."""
        row = await _SET.one(self._database, digest)
        return bytes(row.content) if row is not None else None

    async def add_headers(
        self, fence: Fence, anchor: Anchor, headers: Sequence[VerifiedHeader]
    ) -> None:
        """As the port says."""
        if not headers:
            return
        if not await self._writes.store(fence, anchor, headers):
            await self._judge_headers(fence, anchor, headers)
        self._changes.announce(Change(Topic.HEADERS, fence.peer))

    async def put_chain_client(self, fence: Fence, client: ChainClient) -> None:
        """As the port says."""
        if client.peer != fence.peer:
            raise LeaseLost(peer=client.peer, epoch=fence.epoch)
        values = chain_client_values(client)
        changed = {name: value for name, value in values.items() if name not in {"peer", "client"}}
        async with self._database.transaction() as connection:
            await check_lease(connection, fence)
            await connection.execute(
                insert(chain_clients)
                .values(values)
                .on_conflict_do_update(constraint=chain_clients.primary_key, set_=changed)
            )

    async def chain_client(self, peer: PeerId, client: ClientId) -> ChainClient:
        """As the port says."""
        query = select(chain_clients).where(
            chain_clients.c.peer == peer, chain_clients.c.client == client
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise ClientNotFound(name=f"peers/{peer}/clients/{client}")
        return chain_client_of(row)

    async def chain_clients(self, peer: PeerId) -> Sequence[ChainClient]:
        """As the port says."""
        query = (
            select(chain_clients)
            .where(chain_clients.c.peer == peer)
            .order_by(chain_clients.c.client)
        )
        async with self._database.transaction() as connection:
            return [chain_client_of(row) for row in await connection.execute(query)]

    async def _judge_headers(
        self, fence: Fence, anchor: Anchor, headers: Sequence[VerifiedHeader]
    ) -> None:
        """*headers* are stored, step by step. Raises as ``add_headers``."""
        async with self._database.transaction() as connection:
            await check_lease(connection, fence)
            query = select(hub_clients).with_for_update(read=True)
            client = await read_client(connection, query, fence.peer)
            name = f"peers/{fence.peer}/client"
            if client.frozen_at is not None:
                raise ClientFrozen(client=name, cause=client.frozen_cause)
            check_began(name, anchor_of(client), anchor)
            await store_headers(connection, fence.peer, client.client_type, headers)

    async def _header(self, read: Read, peer: PeerId, height: int) -> VerifiedHeader | None:
        row = await read.one(self._database, peer, height)
        return header_of(row) if row is not None else None
