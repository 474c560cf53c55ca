from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import AnswerOverdue, HubError, LeaseLost, RegistryUnreachable
from hub.core.ids import PeerId
from hub.core.time import SECOND, Duration
from hub.ports.leases import Fence
from relayer.renewals import Renewals
from tests.harness.clock import ManualClock, settle

if TYPE_CHECKING:
    from collections.abc import Sequence

LEASE = Duration(4 * SECOND)
FENCES = [Fence(PeerId(f"city-{number}"), number) for number in range(1, 101)]


class Leases:
    """Renews all but some."""

    def __init__(self) -> None:
        self.asked: list[list[Fence]] = []
        self.lost: list[Fence] = []
        self.error: Exception | None = None

    async def renew_all(self, fences: Sequence[Fence], ttl: Duration) -> Sequence[Fence]:
        assert ttl == LEASE
        self.asked.append(list(fences))
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        return self.lost


async def test_a_hundred_leases_are_one_statement() -> None:
    leases = Leases()
    renewals = Renewals(leases, LEASE, ManualClock())  # type: ignore[arg-type]
    await asyncio.gather(*[renewals.renew(fence) for fence in FENCES])
    assert leases.asked == [FENCES]
    await renewals.renew(FENCES[0])
    assert leases.asked[1:] == [[FENCES[0]]]


async def test_who_lost_its_lease_hears_it_and_nobody_else() -> None:
    leases = Leases()
    leases.lost = [FENCES[1]]
    renewals = Renewals(leases, LEASE, ManualClock())  # type: ignore[arg-type]
    found = await asyncio.gather(
        *[renewals.renew(fence) for fence in FENCES[:3]], return_exceptions=True
    )
    assert [type(one) for one in found] == [type(None), LeaseLost, type(None)]


async def test_where_the_registry_is_away_everyone_hears_that() -> None:
    leases = Leases()
    leases.error = RegistryUnreachable(problem="away")
    renewals = Renewals(leases, LEASE, ManualClock())  # type: ignore[arg-type]
    found = await asyncio.gather(
        *[renewals.renew(fence) for fence in FENCES[:2]], return_exceptions=True
    )
    assert found == [leases.error, leases.error]
    leases.error = None
    await renewals.renew(FENCES[0])


async def test_a_session_that_ends_meanwhile_costs_the_others_nothing() -> None:
    leases = Leases()
    renewals = Renewals(leases, LEASE, ManualClock())  # type: ignore[arg-type]
    first, second = [asyncio.ensure_future(renewals.renew(fence)) for fence in FENCES[:2]]
    await asyncio.sleep(0)
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    await settle()


async def fail_for(clock: ManualClock, renewals: Renewals, seconds: int) -> list[type[Exception]]:
    """What a session hears that asks each second."""
    heard: list[type[Exception]] = []
    for _ in range(seconds):
        with pytest.raises(HubError) as caught:
            await renewals.renew(FENCES[0])
        heard.append(type(caught.value))
        await clock.advance(SECOND)
    return heard


async def test_a_lease_that_is_over_is_given_up_where_others_would_take_the_session() -> None:
    leases, clock = Leases(), ManualClock()
    renewals = Renewals(leases, LEASE, clock)  # type: ignore[arg-type]
    await renewals.renew(FENCES[0])
    leases.error, renewals.has_others = RegistryUnreachable(problem="away"), True
    heard = await fail_for(clock, renewals, 10)
    assert heard == [RegistryUnreachable] * 8 + [LeaseLost] * 2
    # Another session of the peer begins to count anew.
    with pytest.raises(RegistryUnreachable):
        await renewals.renew(Fence(FENCES[0].peer, 77))


async def test_it_is_kept_where_nobody_else_would_or_it_was_renewed_in_between() -> None:
    leases, clock = Leases(), ManualClock()
    renewals = Renewals(leases, LEASE, clock)  # type: ignore[arg-type]
    leases.error = RegistryUnreachable(problem="away")
    assert set(await fail_for(clock, renewals, 20)) == {RegistryUnreachable}
    leases.error, renewals.has_others = None, True
    await renewals.renew(FENCES[0])
    leases.error = RegistryUnreachable(problem="away")
    assert set(await fail_for(clock, renewals, 8)) == {RegistryUnreachable}


async def test_a_registry_that_says_nothing_is_waited_for_as_long_as_a_lease() -> None:
    class Silent(Leases):
        async def renew_all(self, fences: Sequence[Fence], ttl: Duration) -> Sequence[Fence]:
            await asyncio.Event().wait()
            return []

    clock = ManualClock()
    renewals = Renewals(Silent(), LEASE, clock)  # type: ignore[arg-type]
    asked = asyncio.ensure_future(renewals.renew(FENCES[0]))
    await settle()
    await clock.advance(Duration(LEASE - SECOND))
    assert not asked.done()
    await clock.advance(SECOND)
    with pytest.raises(AnswerOverdue):
        await asked
