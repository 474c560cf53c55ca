"""Packets are executed in their order, whatever is denied, refused, late, or carried by others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.simchain.events import PacketReceived
from adapters.simchain.order import next_receive
from hub.core.errors import PacketUnsupported
from hub.core.lane import Order
from hub.core.lifecycle import PacketState
from hub.ports.lanes import OpeningPlan, OpeningState
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU
from tests.harness.other_relayer import OtherRelayer
from tests.harness.relayed import Relayed, relayed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

S = PacketState
NEVER = PacketUnsupported(chain="suzhou-1", problem="2 payloads")
DENIED = "private"
"""A port of both chains whose route nobody allows."""
ORDERS = [Order.ENFORCED, Order.BEST_EFFORT]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Relayed]:
    """Two towns; at the end everything was executed once and in order."""
    async with relayed(tmp_path, ports=("transfer", DENIED)) as world:
        yield world
        violations = await world.registry.audit.violations()
        assert [found for found in violations if found.count] == []
        for town in world.towns.values():
            assert list(town.chain.ledger.violations()) == []
        assert in_order(executed(world))


def received(world: Relayed) -> Iterator[PacketReceived]:
    """What the right chain received over the lane, as it came."""
    chain = world.right.chain
    for height in range(1, chain.height + 1):
        block = chain.block(height)
        assert block is not None
        for event in block.events:
            if isinstance(event, PacketReceived):
                yield event


def executed(world: Relayed) -> list[int]:
    return [event.packet.sequence for event in received(world)]


def in_order(sequences: list[int]) -> bool:
    return sequences == sorted(set(sequences))


def gateway(world: Relayed) -> int:
    """The sequence that the right's gateway waits for."""
    return next_receive(world.right.chain.state, world.key.destination_client)


@pytest.mark.parametrize("order", ORDERS)
async def test_what_is_refused_for_good_holds_the_lane_until_its_timeout_is_proven(
    world: Relayed, order: Order
) -> None:
    await world.open(order)
    world.right.adapter.refuses = {3: NEVER}
    world.submit(world.left, 5, timeout=60)
    await world.reaches(S.COMPLETED, 1, 2)
    world.submit(world.left, timeout=500)
    await world.seconds(20)
    assert [await world.state(sequence) for sequence in (3, 4, 5, 6)] == [S.ACCEPTED] * 4
    await world.reaches(S.REFUNDED, 3, 4, 5)
    await world.reaches(S.COMPLETED, 6)
    assert executed(world) == [1, 2, 6]


@pytest.mark.parametrize("order", ORDERS)
async def test_what_is_denied_holds_the_lane_until_its_timeout_and_is_never_executed(
    world: Relayed, order: Order
) -> None:
    await world.open(order)
    world.submit(world.left, 2)
    await world.second()
    world.submit(world.left, 1, timeout=30, port=DENIED)
    await world.second()
    world.submit(world.left, 2)
    await world.reaches(S.COMPLETED, 1, 2)
    await world.seconds(5)
    assert [await world.state(number) for number in (3, 4, 5)] == [S.DENIED, S.ACCEPTED, S.ACCEPTED]
    await world.reaches(S.COMPLETED, 4, 5)
    await world.reaches(S.REFUNDED, 3)
    assert executed(world) == [1, 2, 4, 5]
    assert order is Order.BEST_EFFORT or gateway(world) == 6


@pytest.mark.parametrize("order", ORDERS)
async def test_many_that_end_while_one_holds_the_lane_hold_it_no_longer_than_that_one(
    world: Relayed, order: Order
) -> None:
    await world.open(order)
    world.submit(world.left, 1, timeout=60, port=DENIED)
    for _ in range(3):
        await world.second()
        world.submit(world.left, 2, timeout=20)
        await world.second()
        world.submit(world.left, 1, timeout=20, port=DENIED)
        await world.second()
        world.submit(world.left, 1)
    await world.reaches(S.REFUNDED, 2, 3, 4, 6, 7, 8, 10, 11, 12)
    assert await world.state(5) is S.ACCEPTED
    await world.reaches(S.COMPLETED, 5, 9, 13)
    await world.reaches(S.REFUNDED, 1)
    assert executed(world) == [5, 9, 13]


async def test_a_relayer_that_comes_anew_finds_what_the_gateway_was_not_shown(
    world: Relayed,
) -> None:
    await world.open(Order.ENFORCED)
    world.right.adapter.refuses = {1: NEVER, 2: NEVER}
    world.submit(world.left, 2, timeout=20)
    await world.reaches(S.REFUNDED, 1, 2)
    assert gateway(world) == 1
    await world.right.detach()
    world.right.adapter.refuses = {}
    await world.seconds(2)
    world.right.attach()
    world.submit(world.left, 3)
    await world.reaches(S.COMPLETED, 3, 4, 5)
    assert (executed(world), gateway(world)) == ([3, 4, 5], 6)


class TestOthers:
    """An ordered pair of clients that others carried packets over, and still do."""

    @pytest.fixture
    async def others(self, world: Relayed) -> OtherRelayer:
        return await OtherRelayer.opened(world, ordered=True)

    async def adopt(
        self, world: Relayed, others: OtherRelayer, order: Order = Order.ENFORCED, first: int = 0
    ) -> None:
        await world.open(
            order,
            source_client=others.client(world.left.chain),
            destination_client=others.client(world.right.chain),
            from_sequence=first,
        )

    async def test_the_lane_begins_where_the_gateway_stands(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        await others.send(5)
        await others.receive([1, 2])
        await self.adopt(world, others)
        assert world.desk.view.lane.first_sequence == 3
        await others.send(2)
        await world.reaches(S.COMPLETED, 3, 4, 5, 6, 7)

    async def test_a_lane_cannot_begin_beyond_what_the_gateway_waits_for(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        await others.send(5)
        await others.receive([1, 2])
        plan = OpeningPlan(
            source=HANGZHOU,
            destination=SUZHOU,
            source_client=others.client(world.left.chain),
            destination_client=others.client(world.right.chain),
            from_sequence=4,
            order=Order.ENFORCED,
            allow_routes=(),
        )
        opening = await world.registry.lanes.start_opening(plan, ADMIN)
        found = world.registry.state.openings
        await world.until(lambda: found[opening.number][0].state is OpeningState.FAILED)
        assert found[opening.number][0].detail == ("from_sequence 4 is beyond the next one, 3")
        await self.adopt(world, others, first=3)

    async def test_what_others_refunded_and_showed_no_gateway_is_passed_over(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        await others.send(2)
        await others.send(3, lives=20)
        await others.send(2)
        await others.receive([1])
        await world.seconds(30)
        await others.time_out([3, 5])
        await self.adopt(world, others)
        await world.reaches(S.COMPLETED, 2, 6, 7)
        await world.reaches(S.SETTLED_ELSEWHERE, 3, 5)
        await world.reaches(S.REFUNDED, 4)
        assert (executed(world), gateway(world)) == ([1, 2, 6, 7], 8)

    async def test_others_may_deliver_too(self, world: Relayed, others: OtherRelayer) -> None:
        await self.adopt(world, others)
        world.right.adapter.refuses = {1: NEVER}
        await others.send(4)
        await world.until(lambda: world.registry.state.lanes[1].exceptions)
        await others.receive([1, 2])
        await world.reaches(S.COMPLETED, 1, 2, 3, 4)
        await others.send(2)
        await world.reaches(S.COMPLETED, 5, 6)

    async def test_order_must_be_that_of_both_ends(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        plan = OpeningPlan(
            source=HANGZHOU,
            destination=SUZHOU,
            source_client=others.client(world.left.chain),
            destination_client=others.client(world.right.chain),
            from_sequence=0,
            order=Order.BEST_EFFORT,
            allow_routes=(),
        )
        opening = await world.registry.lanes.start_opening(plan, ADMIN)
        found = world.registry.state.openings
        await world.until(lambda: found[opening.number][0].state is OpeningState.FAILED)
        assert "enforces it" in found[opening.number][0].detail
        await self.adopt(world, others)
