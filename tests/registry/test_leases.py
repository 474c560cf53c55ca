from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.errors import LeaseLost, PeerNotFound
from hub.core.time import Duration
from hub.ports.leases import Fence
from hub.registry import openings
from hub.registry.leases import _STANDING
from tests.harness.registry import (
    HANGZHOU,
    LEASE,
    LOCK_WAITERS,
    SHANGHAI,
    SUZHOU,
    acquire,
    broken,
    connect,
    open_lanes,
    opened,
    register,
)

if TYPE_CHECKING:
    from hub.ports.registry import Registry
    from hub.registry.registry import PostgresRegistry
    from tests.harness.postgres import Databases

OVER = Duration(1)
"""A lease that is over as soon as it is looked at (ns)."""


async def test_a_lease_gives_a_new_epoch_each_time(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    assert await acquire(registry, HANGZHOU) == Fence(HANGZHOU, 1)
    assert await acquire(registry, HANGZHOU) == Fence(HANGZHOU, 2)
    assert await acquire(registry, SUZHOU) == Fence(SUZHOU, 1)


async def test_a_lane_that_is_opened_as_a_lease_is_given_back_has_the_new_epoch(
    postgres: PostgresRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(postgres, HANGZHOU, SUZHOU)
    fence = await acquire(postgres, HANGZHOU)
    genuine, releasing = openings._allow, []

    async def slow(*given: Any) -> None:
        releasing.append(asyncio.ensure_future(postgres.leases.release(fence)))
        async with postgres.database.line() as line:
            while not releasing[0].done() and not await line.fetchval(LOCK_WAITERS):
                pass
        await genuine(*given)

    monkeypatch.setattr(openings, "_allow", slow)
    await open_lanes(postgres)
    await releasing[0]
    assert await broken(postgres) == {}


async def test_anothers_living_lease_is_not_taken(registry: Registry) -> None:
    await register(registry, HANGZHOU)
    fence = await acquire(registry, HANGZHOU, "east-1")
    assert await registry.leases.acquire(HANGZHOU, "west-1", LEASE) is None
    await registry.leases.renew(fence, LEASE, attached=True)


async def test_anothers_lease_is_taken_once_it_is_over(registry: Registry) -> None:
    await register(registry, HANGZHOU)
    first = await registry.leases.acquire(HANGZHOU, "east-1", OVER)
    assert first is not None
    second = await acquire(registry, HANGZHOU, "west-1")
    assert second.epoch == first.epoch + 1
    with pytest.raises(LeaseLost) as caught:
        await registry.leases.renew(first, LEASE, attached=True)
    assert (caught.value.peer, caught.value.epoch) == (HANGZHOU, first.epoch)


async def test_a_lease_that_is_over_but_not_taken_may_be_renewed(registry: Registry) -> None:
    await register(registry, HANGZHOU)
    fence = await registry.leases.acquire(HANGZHOU, "east-1", OVER)
    assert fence is not None
    assert await registry.leases.all() == []
    await registry.leases.renew(fence, LEASE, attached=False)
    assert [lease.owner for lease in await registry.leases.all()] == ["east-1"]


async def test_living_leases_are_shown_by_peer(registry: Registry) -> None:
    await register(registry, SUZHOU, HANGZHOU)
    await acquire(registry, SUZHOU, "west-1")
    fence = await acquire(registry, HANGZHOU, "east-1")
    await registry.leases.renew(fence, LEASE, attached=True)
    shown = await registry.leases.all()
    assert [(lease.peer, lease.owner, lease.epoch, lease.attached) for lease in shown] == [
        (HANGZHOU, "east-1", 1, True),
        (SUZHOU, "west-1", 1, False),
    ]
    now = await registry.audit.clock()
    assert all(now < lease.expires_at <= now + LEASE for lease in shown)


async def test_a_released_lease_is_free_and_lets_its_owner_write_no_more(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await registry.leases.release(lanes.source)
    with pytest.raises(LeaseLost):
        await lanes.accept(1)
    with pytest.raises(LeaseLost):
        await registry.leases.renew(lanes.source, LEASE, attached=True)
    taken = await acquire(registry, HANGZHOU, "west-1")
    assert taken.epoch > lanes.source.epoch


async def test_releasing_a_lease_that_was_lost_changes_nothing(registry: Registry) -> None:
    await register(registry, HANGZHOU)
    old = await acquire(registry, HANGZHOU)
    new = await acquire(registry, HANGZHOU)
    await registry.leases.release(old)
    await registry.leases.release(Fence(SUZHOU, 1))
    await registry.leases.renew(new, LEASE, attached=True)


async def test_taking_a_lease_again_unattaches_it(registry: Registry) -> None:
    await register(registry, HANGZHOU)
    fence = await acquire(registry, HANGZHOU)
    await registry.leases.renew(fence, LEASE, attached=True)
    await acquire(registry, HANGZHOU)
    assert [lease.attached for lease in await registry.leases.all()] == [False]


async def test_taking_a_lease_raises_the_epoch_of_the_peers_own_rows_alone(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await acquire(registry, SUZHOU)
    views = [await registry.lanes.view(lane.lane_id) for lane in lanes.lanes]
    assert [(view.source.epoch, view.destination.epoch) for view in views] == [(1, 2), (2, 1)]
    assert await broken(registry) == {}


async def test_a_lane_opened_under_a_lease_can_be_written_at_once(registry: Registry) -> None:
    await register(registry, HANGZHOU, SUZHOU)
    await acquire(registry, HANGZHOU)
    fence = await acquire(registry, HANGZHOU)
    await open_lanes(registry)
    view = (await registry.lanes.views(HANGZHOU))[0]
    assert view.source.epoch == fence.epoch
    assert view.destination.epoch == 0


async def test_an_unregistered_peer_has_no_lease(registry: Registry) -> None:
    with pytest.raises(PeerNotFound):
        await registry.leases.acquire(HANGZHOU, "east-1", LEASE)


async def test_the_lease_of_a_process_that_died_is_taken_before_its_end(
    databases: Databases,
) -> None:
    url = await databases.fresh()
    async with await connect(url) as east, await connect(url) as west:
        await register(east, HANGZHOU)
        fence = await acquire(east, HANGZHOU, "east-1")
        assert await west.leases.acquire(HANGZHOU, "west-1", LEASE) is None
        await east.close()
        taken = await acquire(west, HANGZHOU, "west-1")
        assert taken.epoch == fence.epoch + 1
    await databases.drop()


async def test_who_may_not_see_others_sessions_takes_nobody_for_dead(
    databases: Databases,
) -> None:
    url = await databases.fresh()
    async with await connect(url) as east:
        await register(east, HANGZHOU)
        await acquire(east, HANGZHOU, "east-1")
        async with east.database.line() as line, line.transaction():
            await line.execute("CREATE ROLE blind; GRANT SELECT ON leases TO blind")
            await line.execute("SET LOCAL ROLE blind")
            statement = _STANDING.text.replace(":owner", "'west-1'").replace(":peer", "$1")
            row = await line.fetchrow(statement, HANGZHOU)
            assert (row["is_held"], row["is_alive"]) == (True, True)
            await line.execute("RESET ROLE; DROP OWNED BY blind; DROP ROLE blind")
    await databases.drop()


async def test_leases_of_a_process_are_renewed_together_and_lost_ones_named(
    registry: Registry,
) -> None:
    await register(registry, HANGZHOU, SUZHOU, SHANGHAI)
    old = await acquire(registry, HANGZHOU)
    fences = [await acquire(registry, peer) for peer in (SUZHOU, SHANGHAI, HANGZHOU)]
    before = {lease.peer: lease.expires_at for lease in await registry.leases.all()}
    longer = Duration(2 * LEASE)
    assert await registry.leases.renew_all([*fences, old], longer) == [old]
    leases = await registry.leases.all()
    assert all(lease.attached for lease in leases)
    assert all(lease.expires_at > before[lease.peer] + LEASE // 2 for lease in leases)
    await registry.leases.release(fences[0])
    assert await registry.leases.renew_all(fences[:1], longer) == fences[:1]
    assert await registry.leases.renew_all([], longer) == []
