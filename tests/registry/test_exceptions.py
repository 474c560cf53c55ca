from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.core.errors import LaneNotFound, LeaseLost, Reason
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind, OutcomeKind, PacketException
from hub.core.time import Timestamp
from hub.ports.leases import Fence
from tests.harness.registry import HANGZHOU, acquire, opened

if TYPE_CHECKING:
    from hub.ports.registry import Registry


def retry(sequence: int, attempts: int = 1, **changes: object) -> PacketException:
    values: dict[str, object] = {
        "sequence": sequence,
        "kind": ExceptionKind.RETRY,
        "reason": Reason.CHAIN_UNREACHABLE,
        "detail": "suzhou does not answer 苏州",
        "attempts": attempts,
        "next_attempt_at": Timestamp(1_800_000_000_123_456_789),
    }
    return PacketException(**(values | changes))  # type: ignore[arg-type]


async def test_an_exception_stands_instead_of_the_one_before(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3)
    await registry.exceptions.put(lanes.destination, lanes.lane, [retry(3), retry(1)])
    parked = retry(3, 2, kind=ExceptionKind.PARKED, next_attempt_at=None)
    await registry.exceptions.put(lanes.destination, lanes.lane, [parked])
    await registry.exceptions.put(lanes.destination, lanes.lane, [])
    assert await registry.exceptions.of_lane(lanes.lane) == [retry(1), parked]
    assert await registry.exceptions.of_lane(99) == []


async def test_the_last_of_several_for_one_packet_stands(registry: Registry) -> None:
    lanes = await opened(registry)
    await registry.exceptions.put(lanes.source, lanes.lane, [retry(1), retry(1, 2)])
    assert await registry.exceptions.of_lane(lanes.lane) == [retry(1, 2)]


async def test_removed_exceptions_are_gone_but_a_denial_stays(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, 3, 4, denied=[2])
    await registry.exceptions.put(lanes.source, lanes.lane, [retry(n) for n in (1, 3, 4)])
    await registry.exceptions.remove(lanes.source, lanes.lane, RangeSet.of([1, 2, 3, 9]))
    await registry.exceptions.remove(lanes.source, lanes.lane, RangeSet())
    left = await registry.exceptions.of_lane(lanes.lane)
    assert [(e.sequence, e.kind) for e in left] == [
        (2, ExceptionKind.DENIED),
        (4, ExceptionKind.RETRY),
    ]


async def test_a_denial_stays_one_and_counts_the_attempts_to_end_it(registry: Registry) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, denied=[1])
    await registry.exceptions.put(lanes.destination, lanes.lane, [retry(1, 4)])
    [denied] = await registry.exceptions.of_lane(lanes.lane)
    assert (denied.kind, denied.detail) == (ExceptionKind.DENIED, "why 1")
    assert denied.reason is Reason.POLICY_DENIES_ROUTE
    assert (denied.attempts, denied.next_attempt_at) == (4, retry(1).next_attempt_at)


async def test_either_ends_lease_writes_exceptions_and_no_other(registry: Registry) -> None:
    lanes = await opened(registry)
    await registry.exceptions.put(lanes.source, lanes.lane, [retry(1)])
    await registry.exceptions.put(lanes.destination, lanes.lane, [retry(2)])
    await acquire(registry, HANGZHOU)
    for fence in (lanes.source, Fence(HANGZHOU, 9)):
        with pytest.raises(LeaseLost):
            await registry.exceptions.put(fence, lanes.lane, [retry(3)])
        with pytest.raises(LeaseLost):
            await registry.exceptions.remove(fence, lanes.lane, RangeSet.of([1]))
    with pytest.raises(LaneNotFound):
        await registry.exceptions.put(lanes.destination, 99, [retry(3)])
    with pytest.raises(LaneNotFound):
        await registry.exceptions.remove(lanes.destination, 99, RangeSet.of([3]))
    assert [e.sequence for e in await registry.exceptions.of_lane(lanes.lane)] == [1, 2]


async def test_why_a_packet_was_denied_is_a_fact_that_outlives_its_exception(
    registry: Registry,
) -> None:
    lanes = await opened(registry)
    await lanes.accept(1, 2, denied=[2])
    await lanes.settle(2, kind=OutcomeKind.ABSENCE)
    assert await registry.exceptions.of_lane(lanes.lane) == []
    stored = await registry.packets.page(lanes.lane, 0, 10)
    assert [(packet.sequence, packet.denial) for packet in stored] == [(1, ""), (2, "why 2")]
    assert await registry.packets.read(lanes.lane, RangeSet.of([1, 2])) == list(stored)
