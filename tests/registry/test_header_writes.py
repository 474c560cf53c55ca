from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.core.height import Height
from hub.registry.header_writes import HeaderWrites
from hub.registry.validator_sets import set_digest
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SHANGHAI,
    SUZHOU,
    VALIDATORS,
    acquire,
    add_headers,
    anchor,
    broken,
    digest,
    header,
    register,
)

if TYPE_CHECKING:
    from hub.core.client import VerifiedHeader
    from hub.core.ids import PeerId
    from hub.ports.leases import Fence
    from hub.registry.registry import PostgresRegistry

PEERS = (HANGZHOU, SHANGHAI, SUZHOU)


async def owned(postgres: PostgresRegistry) -> dict[PeerId, Fence]:
    await register(postgres, *PEERS)
    return {peer: await acquire(postgres, peer) for peer in PEERS}


async def store(
    writes: HeaderWrites, fence: Fence, *headers: VerifiedHeader, **other: object
) -> bool:
    """Whether *headers* are stored, of a client that starts from its anchor, but for *other*."""
    return await writes.store(fence, anchor(f"{fence.peer}-1", **other), headers)


async def test_a_client_of_another_family_than_was_said_stores_nothing(
    postgres: PostgresRegistry,
) -> None:
    other = anchor("suzhou-1", client_type="other")
    await postgres.peers.register(SUZHOU, "Suzhou", other, ADMIN)
    await register(postgres, HANGZHOU)
    fences = {peer: await acquire(postgres, peer) for peer in (SUZHOU, HANGZHOU)}
    writes = HeaderWrites(postgres.database)
    assert not await store(writes, fences[SUZHOU], header(5))
    assert await postgres.clients.validators(set_digest("07-tendermint", VALIDATORS)) is None
    assert await store(writes, fences[HANGZHOU], header(5))
    assert await postgres.clients.validators(set_digest("07-tendermint", VALIDATORS)) == VALIDATORS


async def test_who_has_started_again_since_stores_nothing_and_holds_up_nobody(
    postgres: PostgresRegistry,
) -> None:
    fences = await owned(postgres)
    writes = HeaderWrites(postgres.database)
    calls = [
        store(writes, fences[HANGZHOU], header(6), height=Height(1, 4)),
        store(writes, fences[SHANGHAI], header(6), header_hash=digest("another")),
        store(writes, fences[SUZHOU], header(6)),
    ]
    assert await asyncio.gather(*calls) == [False, False, True]
    assert await postgres.clients.heights(HANGZHOU, 0, 100) == []
    assert await postgres.clients.heights(SHANGHAI, 0, 100) == []


async def test_headers_are_stored_whole_or_not_at_all(postgres: PostgresRegistry) -> None:
    fences = await owned(postgres)
    writes = HeaderWrites(postgres.database)
    assert await store(writes, fences[SUZHOU], header(5), header(6))
    assert not await store(writes, fences[SUZHOU], header(7), header(6))
    assert not await store(writes, fences[SUZHOU], header(8), header(8, "forged"))
    assert not await store(writes, fences[SUZHOU], header(1 << 63), header(9))
    assert await postgres.clients.heights(SUZHOU, 0, 100) == [5, 6]
    assert await broken(postgres) == {}


async def test_who_does_not_fit_or_is_held_by_somebody_holds_up_nobody_else(
    postgres: PostgresRegistry,
) -> None:
    fences = await owned(postgres)
    writes = HeaderWrites(postgres.database)
    async with postgres.database.line() as line, line.transaction():
        await line.execute("SELECT FROM leases WHERE peer = $1 FOR UPDATE", SHANGHAI)
        calls = [store(writes, fences[peer], header(5)) for peer in PEERS]
        assert await asyncio.gather(*calls) == [True, False, True]
        await line.execute("SELECT FROM hub_clients WHERE peer = $1 FOR UPDATE", HANGZHOU)
        calls = [store(writes, fences[peer], header(6)) for peer in PEERS]
        assert await asyncio.gather(*calls) == [False, False, True]
        assert not await store(writes, fences[SHANGHAI], header(6))
        waiting = asyncio.ensure_future(add_headers(postgres, fences[HANGZHOU], [header(6)]))
        await add_headers(postgres, fences[SUZHOU], [header(7)])
        assert not waiting.done()
    await waiting
    assert await postgres.clients.heights(HANGZHOU, 0, 100) == [5, 6]


async def test_what_comes_while_one_is_stored_goes_together(
    postgres: PostgresRegistry,
) -> None:
    fences = await owned(postgres)
    writes = HeaderWrites(postgres.database)
    first = asyncio.ensure_future(store(writes, fences[SUZHOU], header(5)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    again = store(writes, fences[SUZHOU], header(6))
    others = [store(writes, fences[peer], header(5)) for peer in (HANGZHOU, SHANGHAI)]
    assert await asyncio.gather(first, again, *others) == [True] * 4
    rows = "SELECT count(DISTINCT xmin::text) FROM headers"
    async with postgres.database.line() as line:
        assert await line.fetchval(rows) == 2


async def test_one_who_does_not_wait_any_more_costs_the_others_nothing(
    postgres: PostgresRegistry,
) -> None:
    fences = await owned(postgres)
    writes = HeaderWrites(postgres.database)
    calls = [asyncio.ensure_future(store(writes, fences[peer], header(5))) for peer in PEERS]
    await asyncio.sleep(0)
    calls[0].cancel()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert found[1:] == [True, True]
    assert await store(writes, fences[SUZHOU], header(6))
