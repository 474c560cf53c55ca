"""Verified headers of many peers in one statement: who comes while one runs goes with the next.

Each peer's are judged for themselves, under its own fence, and under the anchor that its client had
when it verified them: they are stored whole, or not at all. No statement waits for a row that
somebody holds, for others stand behind it. What it did not store is judged again by its caller
alone, in a transaction that waits, and can say why.

Source: design section 5 ("a fenced one-row transaction takes about 0.14 ms, so batches matter").
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from hub.registry.validator_sets import set_digest, sets_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.core.client import Anchor, VerifiedHeader
    from hub.core.ids import PeerId
    from hub.ports.leases import Fence
    from hub.registry.engine import Database

TOGETHER: Final = 64
"""Peers of one statement."""

_STORE: Final = """
WITH offered AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[]
    ) AS o (peer, epoch, client_type, anchor_height, anchor_hash)
), new AS MATERIALIZED (
    SELECT * FROM unnest(
        $6::text[], $7::bigint[], $8::bigint[], $9::bytea[], $10::bigint[], $11::bytea[],
        $12::bytea[], $13::bytea[], $14::bytea[]
    ) AS n (
        peer, height, revision, header_hash, time, root, next_validators_hash, validators_hash,
        content
    )
), fenced AS MATERIALIZED (
    SELECT o.* FROM leases l
    JOIN offered o ON o.peer = l.peer AND o.epoch = l.epoch
    WHERE l.peer = ANY($1::text[])
    ORDER BY l.peer FOR SHARE OF l SKIP LOCKED
), live AS MATERIALIZED (
    SELECT c.peer FROM hub_clients c JOIN fenced f USING (peer)
    WHERE c.peer = ANY($1::text[]) AND c.frozen_at IS NULL AND c.client_type = f.client_type
        AND c.anchor_height = f.anchor_height AND c.header_hash = f.anchor_hash
        AND NOT EXISTS (
            SELECT FROM new n CROSS JOIN LATERAL (
                SELECT FROM headers h WHERE h.peer = n.peer AND h.height = n.height OFFSET 0
            ) h WHERE n.peer = c.peer
        )
    ORDER BY c.peer FOR SHARE OF c SKIP LOCKED
), stored_sets AS (
    INSERT INTO validator_sets (digest, content)
    SELECT digest, content FROM unnest($15::bytea[], $16::bytea[]) AS s (digest, content)
    WHERE EXISTS (SELECT FROM new JOIN live USING (peer) WHERE validators_hash = s.digest)
    ORDER BY digest
    ON CONFLICT DO NOTHING
), stored AS (
    INSERT INTO headers (
        peer, height, revision, header_hash, time, root, next_validators_hash, validators_hash,
        content
    )
    SELECT n.* FROM new n JOIN live USING (peer)
)
SELECT peer FROM live
"""


@dataclass(frozen=True, slots=True)
class _Offer:
    """New headers of one peer, heights apart, and whoever waits to hear whether they are stored."""

    fence: Fence
    anchor: Anchor
    rows: Sequence[tuple[Any, ...]]
    sets: Mapping[bytes, bytes]
    stored: asyncio.Future[bool]


@dataclass(slots=True)
class HeaderWrites:
    """The headers that wait for their turn, and the task that stores them."""

    database: Database
    _waiting: dict[PeerId, _Offer] = field(default_factory=dict)
    _task: asyncio.Task[None] | None = None

    async def store(self, fence: Fence, anchor: Anchor, headers: Sequence[VerifiedHeader]) -> bool:
        """Whether *headers* of a client that starts from *anchor* are stored, and were not before.

        False says nothing of why they are not. Raises as ``Database.line`` or ``set_digest``.
        """
        client_type = anchor.client_type
        rows, sets = _rows(fence.peer, client_type, headers), sets_of(client_type, headers)
        if fence.peer in self._waiting or len({row[1] for row in rows}) < len(rows):
            return False
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[fence.peer] = _Offer(fence, anchor, rows, sets, future)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                peers = list(self._waiting)[:TOGETHER]
                await self._store_all([self._waiting.pop(peer) for peer in peers])
        finally:
            self._task = None

    async def _store_all(self, offers: Sequence[_Offer]) -> None:
        """Everyone of *offers* hears what became of theirs."""
        stored: set[str] = set()
        try:
            stored = await self._try(offers)
        except BaseException as error:
            for offer in offers:
                if not offer.stored.done():
                    offer.stored.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for offer in offers:
            if not offer.stored.done():
                offer.stored.set_result(offer.fence.peer in stored)

    async def _try(self, offers: Sequence[_Offer]) -> set[str]:
        """The peers whose headers are stored."""
        async with self.database.line() as line:
            try:
                rows = await line.fetch(_STORE, *_values(offers))
            except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, ValueError):
                return set()  # one was stored meanwhile, or does not fit: each is judged alone
        return {row["peer"] for row in rows}


def _rows(
    peer: PeerId, client_type: str, headers: Sequence[VerifiedHeader]
) -> list[tuple[Any, ...]]:
    """As ``new`` of the statement names their parts."""
    return [
        (
            peer,
            header.state.height.number,
            header.state.height.revision,
            header.state.header_hash,
            header.state.time,
            header.state.root,
            header.state.next_validators_hash,
            set_digest(client_type, header.header.validators),
            header.header.content,
        )
        for header in headers
    ]


def _values(offers: Sequence[_Offer]) -> list[list[Any]]:
    """Every column of every table of the statement."""
    offered = [
        (
            offer.fence.peer,
            offer.fence.epoch,
            offer.anchor.client_type,
            offer.anchor.height.number,
            offer.anchor.header_hash,
        )
        for offer in offers
    ]
    rows = [row for offer in offers for row in offer.rows]
    sets = {digest: content for offer in offers for digest, content in offer.sets.items()}
    return [
        *map(list, zip(*offered, strict=True)),
        *map(list, zip(*rows, strict=True)),
        list(sets),
        list(sets.values()),
    ]
