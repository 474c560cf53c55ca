"""Lanes that other relayers carried before, and carry still: whatever they do, all ends right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.execution import Acknowledge, ExecutionResult, Receive, Refused, TimeOut
from adapters.simchain.ledger import Effects, Lane
from hub.core.errors import BacklogFull, GapTooWide
from hub.core.lifecycle import TERMINAL, PacketState
from hub.core.time import SECOND
from hub.registry.memory.outcomes import MemoryOutcomes
from tests.harness.exchange import ADMIN
from tests.harness.other_relayer import OtherRelayer
from tests.harness.relayed import Relayed, relayed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from pathlib import Path

    from adapters.sdk.execution import Execution
    from hub.core.record import Acceptance
    from hub.ports.leases import Fence

S = PacketState
AWAY = BacklogFull(lane="mempool", count=9, limit=9)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Relayed]:
    """Two towns that others connect already; at the end each packet had its effect once."""
    async with relayed(tmp_path) as world:
        yield world
        violations = await world.registry.audit.violations()
        assert [found for found in violations if found.count] == []
        for town in world.towns.values():
            assert list(town.chain.ledger.violations()) == []


@pytest.fixture
async def others(world: Relayed) -> OtherRelayer:
    return await OtherRelayer.opened(world)


async def adopt(world: Relayed, others: OtherRelayer, first: int = 0) -> None:
    """The lane over the others' clients is open here too."""
    await world.open(
        source_client=others.client(world.left.chain),
        destination_client=others.client(world.right.chain),
        from_sequence=first,
    )


def gaps(world: Relayed, monkeypatch: pytest.MonkeyPatch) -> list[GapTooWide]:
    """Every time from now on that packets are not accepted because of too many holes."""
    found: list[GapTooWide] = []
    accept = world.registry.packets.accept

    async def watched(fence: Fence, acceptances: Sequence[Acceptance]) -> None:
        try:
            await accept(fence, acceptances)
        except GapTooWide as error:
            found.append(error)
            raise

    monkeypatch.setattr(world.registry.packets, "accept", watched)
    return found


def refusing(*kinds: type) -> Callable[[Execution], ExecutionResult | None]:
    """An adapter's answer to executions of these *kinds*: later."""

    def says(execution: Execution) -> ExecutionResult | None:
        if not isinstance(execution.action, kinds):
            return None
        refused = tuple([Refused(sequence, AWAY) for sequence in execution.sequences])
        return ExecutionResult(refused=refused)

    return says


def goes_on(world: Relayed) -> None:
    for town in world.towns.values():
        town.adapter.says = lambda _: None


def done(world: Relayed, sequences: Iterable[int]) -> list[tuple[int, int, int]]:
    """How often each packet was executed, acknowledged and refunded."""
    here = world.left.chain.ledger.outgoing[world.key.source_client]
    there = world.right.chain.ledger.incoming.get(world.key.destination_client, Lane())
    return [
        (
            there.effects.get(number, Effects()).executed,
            here.of(number).acknowledged,
            here.of(number).refunded,
        )
        for number in sequences
    ]


async def ended(world: Relayed, count: int) -> None:
    """Every outcome of so many packets is recorded, and executed where it is owed."""
    await world.until(lambda: len(world.desk.view.source.progress) == count)
    assert world.desk.view.destination.outcome_count == count


class TestBefore:
    """Packets that were sent before the lane was opened here."""

    async def test_whatever_others_left_undone_is_done_and_nothing_twice(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        await others.send(8, lives=600)
        await others.send(4, lives=40)
        await others.send(2, lives=600)
        await others.receive([1, 2, 3, 4, 5, 6])
        await others.acknowledge([1, 2, 3])
        await world.seconds(60)
        await others.time_out([9, 10])
        await adopt(world, others, first=1)
        await world.reaches(S.COMPLETED, 4, 5, 6, 7, 8, 13, 14)
        await world.reaches(S.REFUNDED, 11, 12)
        await world.reaches(S.SETTLED_ELSEWHERE, 1, 2, 3, 9, 10)
        await ended(world, 14)
        executed, refunded = (1, 1, 0), (0, 0, 1)
        assert done(world, range(1, 15)) == [executed] * 8 + [refunded] * 4 + [executed] * 2
        for sequence in range(1, 15):
            assert await world.state(sequence) in TERMINAL | {S.SETTLED_ELSEWHERE}

    async def test_a_lane_begins_at_the_next_sequence_and_leaves_the_rest_to_others(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        await others.send(5)
        await others.receive([1, 2])
        await adopt(world, others)
        await others.send(2)
        await world.reaches(S.COMPLETED, 6, 7)
        await world.seconds(40)
        assert [await world.state(sequence) for sequence in range(1, 6)] == [None] * 5
        assert world.desk.view.destination.outcome_count == 2
        assert not world.desk.unknown

    async def test_a_lane_may_begin_in_the_middle(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        await others.send(6)
        await others.receive([1, 2, 3, 4])
        await others.acknowledge([4])
        await adopt(world, others, first=3)
        await world.reaches(S.COMPLETED, 3, 5, 6)
        await world.reaches(S.SETTLED_ELSEWHERE, 4)
        await ended(world, 4)
        assert [await world.state(sequence) for sequence in (1, 2)] == [None, None]

    async def test_where_others_have_done_everything_it_is_found_out_without_another_packet(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        await others.send(5)
        await others.receive(range(1, 6))
        await others.acknowledge(range(1, 6))
        await adopt(world, others, first=1)
        await world.reaches(S.SETTLED_ELSEWHERE, 1, 2, 3, 4, 5)
        await ended(world, 5)
        await others.send(1)
        await world.reaches(S.COMPLETED, 6)

    async def test_thousands_that_others_settled_hold_up_none_for_long(
        self, world: Relayed, others: OtherRelayer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """More holes between those that stand than a lane may have open at once."""
        # Watching every move of so many would take long.
        world.registry.outcomes = MemoryOutcomes(world.registry.state)
        too_wide = gaps(world, monkeypatch)
        sent = await others.send(2600)
        theirs = sent[1::2]
        await others.receive(theirs)
        await others.acknowledge(theirs)
        await adopt(world, others, first=1)
        began = world.clock.now()
        await ended(world, len(sent))
        assert world.clock.now() - began < 60 * SECOND
        assert too_wide
        assert done(world, sent) == [(1, 1, 0)] * len(sent)
        settled = [o for o in world.registry.state.lanes[1].outcomes if not o.content]
        assert sorted(o.sequence for o in settled) == theirs


class TestBeside:
    """Packets that we carry, and others too."""

    @pytest.fixture(autouse=True)
    async def lane(self, world: Relayed, others: OtherRelayer) -> None:
        await adopt(world, others)

    async def test_others_deliver_what_we_have_accepted(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        world.right.adapter.says = refusing(Receive)
        await others.send(3)
        await world.reaches(S.ACCEPTED, 1, 2, 3)
        await others.receive([1, 2, 3])
        await world.reaches(S.COMPLETED, 1, 2, 3)
        assert done(world, [1, 2, 3]) == [(1, 1, 0)] * 3

    async def test_others_deliver_while_our_delivery_is_on_its_way(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        world.right.adapter.says = refusing(Receive)
        world.right.adapter.shows_answers = False
        await others.send(3)
        await world.reaches(S.ACCEPTED, 1, 2, 3)
        await others.receive([1, 3])
        goes_on(world)
        await world.reaches(S.DELIVERED, 1, 2, 3)
        await world.show_answers()
        await world.reaches(S.COMPLETED, 1, 2, 3)
        assert done(world, [1, 2, 3]) == [(1, 1, 0)] * 3

    async def test_others_acknowledge_what_we_have_delivered(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        world.right.adapter.shows_answers = False
        await others.send(3)
        await world.reaches(S.DELIVERED, 1, 2, 3)
        await others.acknowledge([1, 2])
        await world.show_answers()
        await world.reaches(S.COMPLETED, 1, 2, 3)
        assert done(world, [1, 2, 3]) == [(1, 1, 0)] * 3

    async def test_others_acknowledge_what_we_have_proven_acknowledged(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        world.left.adapter.says = refusing(Acknowledge)
        await others.send(3)
        await world.reaches(S.ACKNOWLEDGED, 1, 2, 3)
        await others.acknowledge([1, 2, 3])
        goes_on(world)
        await world.reaches(S.COMPLETED, 1, 2, 3)
        assert done(world, [1, 2, 3]) == [(1, 1, 0)] * 3

    async def test_others_do_all_of_it_while_we_wait_to_prove_it_afresh(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        """Its commitment is gone when we ask for a new proof of it."""
        world.right.adapter.says = refusing(Receive)
        world.right.adapter.shows_answers = False
        await others.send(3)
        await world.reaches(S.ACCEPTED, 1, 2, 3)
        await world.pause()
        await others.receive([1, 2, 3])
        await others.acknowledge([1, 2, 3])
        goes_on(world)
        tried = len(world.right.adapter.received())
        await world.registry.lanes.resume(world.key, ADMIN)
        await world.seconds(10)
        assert len(world.right.adapter.received()) == tried
        await world.show_answers()
        await world.reaches(S.COMPLETED, 1, 2, 3)
        assert done(world, [1, 2, 3]) == [(1, 1, 0)] * 3

    async def test_others_time_out_what_nobody_delivered(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        world.right.adapter.says = refusing(Receive)
        world.left.adapter.says = refusing(TimeOut)
        await others.send(3, lives=20)
        await world.reaches(S.TIMED_OUT, 1, 2, 3)
        await others.time_out([1, 3])
        goes_on(world)
        await world.reaches(S.REFUNDED, 1, 2, 3)
        assert done(world, [1, 2, 3]) == [(0, 0, 1)] * 3

    async def test_others_do_everything_before_we_see_it(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        await world.left.detach()
        await others.send(3)
        await others.receive([1, 2, 3])
        await others.acknowledge([1, 2, 3])
        world.left.attach()
        await world.reaches(S.SETTLED_ELSEWHERE, 1, 2, 3)
        await others.send(1)
        await world.reaches(S.COMPLETED, 4)
        assert done(world, [1, 2, 3, 4]) == [(1, 1, 0)] * 4

    async def test_others_refund_before_we_see_it(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        await world.left.detach()
        await others.send(2, lives=20)
        await world.seconds(30)
        await others.time_out([1, 2])
        world.left.attach()
        await others.send(1)
        await world.reaches(S.COMPLETED, 3)
        await world.reaches(S.SETTLED_ELSEWHERE, 1, 2)
        assert done(world, [1, 2, 3]) == [(0, 0, 1)] * 2 + [(1, 1, 0)]

    async def test_others_lead_the_clients_on_beside_us(
        self, world: Relayed, others: OtherRelayer
    ) -> None:
        for _ in range(6):
            sent = await others.send(2)
            await others.receive(sent[:1])
            await others.acknowledge(sent[:1])
        await world.until(lambda: len(world.desk.view.source.progress) >= 12)
        assert done(world, range(1, 13)) == [(1, 1, 0)] * 12
