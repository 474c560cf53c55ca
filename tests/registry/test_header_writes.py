from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.registry.header_writes import HeaderWrites
from hub.registry.validator_sets import set_digest
from tests.harness.registry import (
    ADMIN,
    HANGZHOU,
    SHANGHAI,
    SUZHOU,
    VALIDATORS,
    acquire,
    anchor,
    broken,
    header,
    register,
)

if TYPE_CHECKING:
    from hub.core.ids import PeerId
    from hub.ports.leases import Fence
    from hub.registry.registry import PostgresRegistry

FAMILY = "07-tendermint"
PEERS = (HANGZHOU, SHANGHAI, SUZHOU)


async def owned(postgres: PostgresRegistry) -> dict[PeerId, Fence]:
    await register(postgres, *PEERS)
    return {peer: await acquire(postgres, peer) for peer in PEERS}


async def test_a_client_of_another_family_than_was_said_stores_nothing(
    postgres: PostgresRegistry,
) -> None:
    other = anchor("suzhou-1", client_type="other")
    await postgres.peers.register(SUZHOU, "Suzhou", other, ADMIN)
    await register(postgres, HANGZHOU)
    fences = {peer: await acquire(postgres, peer) for peer in (SUZHOU, HANGZHOU)}
    writes = HeaderWrites(postgres.database)
    assert not await writes.store(fences[SUZHOU], FAMILY, [header(5)])
    assert await postgres.clients.validators(set_digest(FAMILY, VALIDATORS)) is None
    assert await writes.store(fences[HANGZHOU], FAMILY, [header(5)])
    assert await postgres.clients.validators(set_digest(FAMILY, VALIDATORS)) == VALIDATORS


async def test_headers_are_stored_whole_or_not_at_all(postgres: PostgresRegistry) -> None:
    fences = await owned(postgres)
    writes = HeaderWrites(postgres.database)
    assert await writes.store(fences[SUZHOU], FAMILY, [header(5), header(6)])
    assert not await writes.store(fences[SUZHOU], FAMILY, [header(7), header(6)])
    assert not await writes.store(fences[SUZHOU], FAMILY, [header(8), header(8, "forged")])
    assert not await writes.store(fences[SUZHOU], FAMILY, [header(1 << 63), header(9)])
    assert await postgres.clients.heights(SUZHOU, 0, 100) == [5, 6]
    assert await broken(postgres) == {}


async def test_who_does_not_fit_or_is_held_by_somebody_holds_up_nobody_else(
    postgres: PostgresRegistry,
) -> None:
    fences = await owned(postgres)
    writes = HeaderWrites(postgres.database)
    async with postgres.database.line() as line, line.transaction():
        await line.execute("SELECT FROM leases WHERE peer = $1 FOR UPDATE", SHANGHAI)
        calls = [writes.store(fences[peer], FAMILY, [header(5)]) for peer in PEERS]
        assert await asyncio.gather(*calls) == [True, False, True]
        await line.execute("SELECT FROM hub_clients WHERE peer = $1 FOR UPDATE", HANGZHOU)
        calls = [writes.store(fences[peer], FAMILY, [header(6)]) for peer in PEERS]
        assert await asyncio.gather(*calls) == [False, False, True]
        assert not await writes.store(fences[SHANGHAI], FAMILY, [header(6)])
        waiting = asyncio.ensure_future(postgres.clients.add_headers(fences[HANGZHOU], [header(6)]))
        await postgres.clients.add_headers(fences[SUZHOU], [header(7)])
        assert not waiting.done()
    await waiting
    assert await postgres.clients.heights(HANGZHOU, 0, 100) == [5, 6]


async def test_what_comes_while_one_is_stored_goes_together(
    postgres: PostgresRegistry,
) -> None:
    fences = await owned(postgres)
    writes = HeaderWrites(postgres.database)
    first = asyncio.ensure_future(writes.store(fences[SUZHOU], FAMILY, [header(5)]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    again = writes.store(fences[SUZHOU], FAMILY, [header(6)])
    others = [writes.store(fences[peer], FAMILY, [header(5)]) for peer in (HANGZHOU, SHANGHAI)]
    assert await asyncio.gather(first, again, *others) == [True] * 4
    rows = "SELECT count(DISTINCT xmin::text) FROM headers"
    async with postgres.database.line() as line:
        assert await line.fetchval(rows) == 2


async def test_one_who_does_not_wait_any_more_costs_the_others_nothing(
    postgres: PostgresRegistry,
) -> None:
    fences = await owned(postgres)
    writes = HeaderWrites(postgres.database)
    calls = [
        asyncio.ensure_future(writes.store(fences[peer], FAMILY, [header(5)])) for peer in PEERS
    ]
    await asyncio.sleep(0)
    calls[0].cancel()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert found[1:] == [True, True]
    assert await writes.store(fences[SUZHOU], FAMILY, [header(6)])
