"""Verified headers in Postgres: one for each height, their validator sets once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import literal_column, select, true
from sqlalchemy.dialects.postgresql import insert

from hub.core.client import ConsensusState
from hub.core.errors import ConsensusStateDiffers
from hub.core.height import Height
from hub.registry.records import hub_client_of, state_of
from hub.registry.tables.clients import headers, hub_clients, validator_sets
from hub.registry.validator_sets import set_digest, sets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from hub.core.client import HubClient, VerifiedHeader
    from hub.core.ids import PeerId
    from hub.registry.records import Row

STATE = (
    headers.c.height,
    headers.c.revision,
    headers.c.header_hash,
    headers.c.time,
    headers.c.root,
    headers.c.next_validators_hash,
)
HEADERS = select(
    *STATE, headers.c.content, validator_sets.c.content.label("validators")
).select_from(headers.join(validator_sets, headers.c.validators_hash == validator_sets.c.digest))

_NEWEST = (
    select(*STATE)
    .where(headers.c.peer == hub_clients.c.peer)
    .order_by(headers.c.height.desc())
    .limit(literal_column("1"))
    .lateral("newest")
)
CLIENTS = select(
    hub_clients, *[column.label(f"newest_{column.name}") for column in _NEWEST.c]
).select_from(hub_clients.outerjoin(_NEWEST, true()))
"""Hub clients, each with its newest consensus state."""


def client_of(row: Row) -> HubClient:
    """The hub client in a row of ``CLIENTS``."""
    if row.newest_height is None:
        return hub_client_of(row, None)
    newest = ConsensusState(
        height=Height(row.newest_revision, row.newest_height),
        header_hash=row.newest_header_hash,
        time=row.newest_time,
        root=row.newest_root,
        next_validators_hash=row.newest_next_validators_hash,
    )
    return hub_client_of(row, newest)


async def latest_state(connection: AsyncConnection, peer: PeerId) -> ConsensusState | None:
    """The newest consensus state of the peer's chain; None before the anchor's header."""
    query = select(*STATE).where(headers.c.peer == peer)
    newest = query.order_by(headers.c.height.desc()).limit(1)
    row = (await connection.execute(newest)).one_or_none()
    return state_of(row) if row is not None else None


async def store_headers(
    connection: AsyncConnection, peer: PeerId, client_type: str, new: Sequence[VerifiedHeader]
) -> None:
    """*new* are stored, each once. Raises ``ConsensusStateDiffers``."""
    sets = sets_of(client_type, new)
    await connection.execute(
        insert(validator_sets).on_conflict_do_nothing(),
        [{"digest": digest, "content": content} for digest, content in sorted(sets.items())],
    )
    rows = [
        {
            "peer": peer,
            "height": header.state.height.number,
            "revision": header.state.height.revision,
            "header_hash": header.state.header_hash,
            "time": header.state.time,
            "root": header.state.root,
            "next_validators_hash": header.state.next_validators_hash,
            "validators_hash": set_digest(client_type, header.header.validators),
            "content": header.header.content,
        }
        for header in new
    ]
    await connection.execute(insert(headers).on_conflict_do_nothing(), rows)
    numbers = [header.state.height.number for header in new]
    query = select(headers.c.height, headers.c.header_hash).where(
        headers.c.peer == peer, headers.c.height.in_(numbers)
    )
    stored = {row.height: row.header_hash for row in await connection.execute(query)}
    for header in new:
        number, digest = header.state.height.number, header.state.header_hash
        if stored[number] != digest:
            raise ConsensusStateDiffers(
                client=f"peers/{peer}/client",
                height=number,
                got=digest.hex(),
                stored=stored[number].hex(),
            )
