"""A chain refuses one packet of many for good: it ends by itself, and no other waits for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.execution import Acknowledge, TimeOut
from hub.core.errors import PacketUnsupported, Reason
from hub.core.lane import Order
from hub.core.lifecycle import PacketState
from hub.core.ranges import RangeSet
from hub.core.record import ExceptionKind
from hub.exchange import story
from tests.harness.exchange import ADMIN
from tests.harness.registry import SEQUENCES
from tests.harness.relayed import Relayed, Town, relayed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

S = PacketState
NEVER = PacketUnsupported(chain="suzhou-1", problem="2 payloads")
REST = (1, 2, 4, 5)
"""Neighbours of the packet that is refused."""


@pytest.fixture
def order() -> Order:
    return Order.UNORDERED


@pytest.fixture
async def world(tmp_path: Path, order: Order) -> AsyncIterator[Relayed]:
    async with relayed(tmp_path) as world:
        await world.open(order)
        yield world
        violations = await world.registry.audit.violations()
        assert [found for found in violations if found.count] == []


async def exceptions(world: Relayed) -> list[tuple[int, ExceptionKind, Reason]]:
    found = await world.registry.exceptions.among(world.desk.view.lane.lane_id, SEQUENCES)
    return [(entry.sequence, entry.kind, entry.reason) for entry in found]


def attempts(town: Town, sequence: int = 3) -> int:
    """How often the town was asked to execute something of the packet."""
    return sum(sequence in execution.sequences for execution in town.adapter.executions)


async def attached_anew(town: Town, world: Relayed) -> None:
    """The town's adapter goes and comes again."""
    await town.detach()
    await world.seconds(2)
    town.attach()
    await world.until(lambda: town.client._session and town.client._session.is_welcome)
    await world.seconds(3)


async def test_a_packet_that_the_destination_never_takes_is_parked_and_refunded(
    world: Relayed,
) -> None:
    world.right.adapter.refuses = {3: NEVER}
    world.submit(world.left, 5, timeout=60)
    await world.reaches(S.COMPLETED, *REST)
    assert await exceptions(world) == [(3, ExceptionKind.PARKED, Reason.PACKET_UNSUPPORTED)]
    told = await story.explain(world.registry, world.key, 3)
    assert told.waiting_for.startswith(f"an operator: {NEVER}; it times out at ")
    page = await story.page(world.registry, world.key, S.ACCEPTED, 0, 10)
    assert [
        (one.sequence, one.exception.reason) for one in page.standings if one.exception is not None
    ] == [(3, Reason.PACKET_UNSUPPORTED)]
    await world.seconds(5)
    assert attempts(world.right) == 1
    await attached_anew(world.right, world)
    assert attempts(world.right) == 1
    await world.reaches(S.REFUNDED, 3)
    assert attempts(world.right) == 1
    assert await exceptions(world) == []
    sent = world.left.chain.ledger.outgoing[world.key.source_client].effects
    assert [number for number, effect in sent.items() if effect.refunded] == [3]


async def test_what_comes_after_a_parked_packet_goes_on_too(world: Relayed) -> None:
    world.right.adapter.refuses = {1: NEVER}
    world.submit(world.left, timeout=500)
    await world.until(lambda: world.registry.state.lanes[1].exceptions)
    world.submit(world.left, 3)
    await world.reaches(S.COMPLETED, 2, 3, 4)
    assert await world.state(1) is S.ACCEPTED
    assert attempts(world.right, 1) == 1


async def test_a_parked_packet_that_another_delivers_is_acknowledged(world: Relayed) -> None:
    world.right.adapter.refuses = {1: NEVER}
    world.submit(world.left)
    await world.until(lambda: world.registry.state.lanes[1].exceptions)
    packet = world.pending()
    await world.carry(world.right, lambda path, source: path.receive(source, [packet]))
    await world.reaches(S.COMPLETED)
    assert await exceptions(world) == []


async def test_an_acknowledgement_that_the_source_never_takes_is_parked_until_it_comes_anew(
    world: Relayed,
) -> None:
    world.left.adapter.refuses = {3: NEVER}
    world.submit(world.left, 5)
    await world.reaches(S.COMPLETED, *REST)
    await world.until(lambda: world.registry.state.lanes[1].exceptions)
    assert await world.state(3) is S.ACKNOWLEDGED
    assert await exceptions(world) == [(3, ExceptionKind.PARKED, Reason.PACKET_UNSUPPORTED)]
    told = await story.explain(world.registry, world.key, 3)
    assert told.waiting_for.startswith(f"an operator: {NEVER}")
    await world.seconds(12)
    assert attempts(world.left) == 1
    # Once more for an adapter that comes anew, which may be another build.
    await attached_anew(world.left, world)
    assert (attempts(world.left), await world.state(3)) == (2, S.ACKNOWLEDGED)
    world.left.adapter.refuses = {}
    await attached_anew(world.left, world)
    await world.reaches(S.COMPLETED, 3)
    assert isinstance(world.left.adapter.executions[-1].action, Acknowledge)
    assert await exceptions(world) == []


async def test_a_refund_that_the_source_never_takes_is_parked_until_it_comes_anew(
    world: Relayed,
) -> None:
    world.left.adapter.refuses = {3: NEVER}
    world.right.adapter.refuses = dict.fromkeys(range(1, 6), NEVER)
    world.submit(world.left, 5, timeout=20)
    await world.reaches(S.REFUNDED, *REST)
    await world.until(lambda: world.registry.state.lanes[1].exceptions)
    assert await world.state(3) is S.TIMED_OUT
    await world.seconds(12)
    assert attempts(world.left) == 1
    world.left.adapter.refuses = {}
    await attached_anew(world.left, world)
    await world.reaches(S.REFUNDED, 3)
    assert isinstance(world.left.adapter.executions[-1].action, TimeOut)
    assert await exceptions(world) == []


async def test_a_parked_packet_that_an_operator_retries_goes_at_once_with_a_new_proof(
    world: Relayed,
) -> None:
    world.right.adapter.refuses = {3: NEVER}
    world.submit(world.left, 5)
    await world.reaches(S.COMPLETED, *REST)
    await world.until(lambda: world.registry.state.lanes[1].exceptions)
    world.right.adapter.refuses = {}
    due = await world.registry.exceptions.retry([(world.key, 3)], ADMIN)
    assert due == {world.key: RangeSet.of([3])}
    await world.reaches(S.COMPLETED, 3)
    assert attempts(world.right) == 2
    assert await exceptions(world) == []


async def test_a_retry_that_no_hint_told_of_is_found_by_the_slow_poll(world: Relayed) -> None:
    world.right.adapter.refuses = {1: NEVER}
    world.submit(world.left)
    await world.until(lambda: world.registry.state.lanes[1].exceptions)
    world.right.adapter.refuses = {}
    row = world.registry.state.lanes[1]
    row.exceptions[1] = replace(row.exceptions[1], kind=ExceptionKind.RETRY)
    await world.seconds(6)
    await world.reaches(S.COMPLETED, 1)


async def test_a_parked_packet_that_is_refused_again_is_parked_again(world: Relayed) -> None:
    world.right.adapter.refuses = {1: NEVER}
    world.submit(world.left)
    await world.until(lambda: world.registry.state.lanes[1].exceptions)
    await world.registry.exceptions.retry([(world.key, 1)], ADMIN)
    await world.until(lambda: attempts(world.right, 1) == 2)
    await world.seconds(1)
    assert await exceptions(world) == [(1, ExceptionKind.PARKED, Reason.PACKET_UNSUPPORTED)]
    await world.seconds(12)
    assert attempts(world.right, 1) == 2
    told = await story.explain(world.registry, world.key, 1)
    events = [event.event for event in told.events]
    assert events == ["ACCEPT", "ATTEMPT", "RETRY", "ATTEMPT"]


@pytest.mark.parametrize("end", [S.COMPLETED, S.REFUNDED])
async def test_a_parked_outcome_that_an_operator_retries_is_executed(
    world: Relayed, end: PacketState
) -> None:
    world.left.adapter.refuses = {1: NEVER}
    if end is S.REFUNDED:
        world.right.adapter.refuses = {1: NEVER}
    world.submit(world.left, 1, timeout=20)
    await world.reaches(S.TIMED_OUT if end is S.REFUNDED else S.ACKNOWLEDGED, 1)
    await world.until(lambda: attempts(world.left, 1) == 1)
    await world.seconds(1)
    assert await exceptions(world) == [(1, ExceptionKind.PARKED, Reason.PACKET_UNSUPPORTED)]
    world.left.adapter.refuses = {}
    await world.registry.exceptions.retry([(world.key, 1)], ADMIN)
    await world.reaches(end, 1)
    assert await exceptions(world) == []


async def test_progress_of_the_neighbours_is_recorded_though_one_is_refused(
    world: Relayed,
) -> None:
    world.right.adapter.refuses = {3: NEVER}
    world.right.adapter.shows_answers = False
    world.submit(world.left, 5)
    await world.reaches(S.DELIVERED, *REST)
    view = await world.registry.lanes.view(world.desk.view.lane.lane_id)
    assert view.destination.progress == RangeSet.of(REST)


@pytest.mark.parametrize("order", [Order.BEST_EFFORT])
async def test_in_order_nothing_overtakes_a_packet_that_is_refused(
    world: Relayed, order: Order
) -> None:
    world.right.adapter.refuses = {3: NEVER}
    world.submit(world.left, 5, timeout=60)
    await world.reaches(S.COMPLETED, 1, 2)
    world.submit(world.left, timeout=500)
    await world.seconds(20)
    assert [await world.state(sequence) for sequence in (3, 4, 5, 6)] == [S.ACCEPTED] * 4
    await world.reaches(S.REFUNDED, 3, 4, 5)
    await world.reaches(S.COMPLETED, 6)
    assert world.desk.view.lane.order is order
