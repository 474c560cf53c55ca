from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from hub.core.errors import Reason, RegistryUnreachable
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import Refusal
from hub.core.time import SECOND, Timestamp
from relayer.runner import FlowRunner, joined
from relayer.steps.flow import Added, Done, Flow, Park, Reported, Send, Wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from hub.core.time import Duration

REFUSAL = Refusal(Reason.PACKET_INVALID, "no such application", is_final=True)


class StillClock:
    """Time does not pass by itself."""

    def now(self) -> Timestamp:
        return Timestamp(1_800_000_000 * SECOND)

    def monotonic(self) -> Timestamp:
        return Timestamp(SECOND)

    async def sleep(self, duration: Duration) -> None:
        await asyncio.Event().wait()


class NoChance:
    def below(self, bound: int) -> int:
        return 0


@dataclass
class FakeCarrier:
    """Everything is executed; what was recorded ends if *ends*."""

    ends: bool = True
    fails: int = 0
    """Records that the registry does not take, first."""
    sent: list[Send] = field(default_factory=list)
    recorded: list[Done | Park | Wait] = field(default_factory=list)
    records: asyncio.Event = field(default_factory=asyncio.Event)
    """Records go on while it is set."""

    async def carry(self, send: Send) -> Reported:
        self.sent.append(send)
        return Reported(send.number, send.items)

    async def record(self, effect: Done | Park | Wait) -> RangeSet:
        await self.records.wait()
        if self.fails:
            self.fails -= 1
            raise RegistryUnreachable(problem="away")
        self.recorded.append(effect)
        return effect.items if self.ends and isinstance(effect, Done) else EMPTY


@pytest.fixture
async def carrier() -> FakeCarrier:
    return FakeCarrier()


@pytest.fixture
async def runner(carrier: FakeCarrier) -> AsyncIterator[FlowRunner]:
    made = FlowRunner(Flow(window=1), carrier, StillClock(), NoChance(), "a lane")
    made.start()
    yield made
    await made.stop()


async def settle() -> None:
    """Whatever can happen without time passing has happened."""
    for _ in range(50):
        await asyncio.sleep(0)


def span(first: int, last: int) -> RangeSet:
    return RangeSet.span(first, last + 1)


def test_reports_that_follow_each_other_are_one_record() -> None:
    park, wait = Park(9, REFUSAL), Wait(span(7, 8), None, Timestamp(0), 1)
    spans = [span(1, 2), span(3, 4), span(5, 5), span(6, 6)]
    first, second, third, last = map(Done, spans)
    effects: list[Done | Park | Wait] = [first, second, park, third, wait, last]
    assert joined(effects) == [Done(span(1, 4)), park, third, wait, last]
    assert joined([]) == []


async def test_reports_that_come_while_one_is_recorded_are_recorded_at_once(
    runner: FlowRunner, carrier: FakeCarrier
) -> None:
    for first in (1, 11, 21, 31):
        runner.feed(Added(span(first, first + 9)))
        await settle()
    assert [send.items for send in carrier.sent] == [span(n, n + 9) for n in (1, 11, 21, 31)]
    carrier.records.set()
    await settle()
    assert carrier.recorded == [Done(span(1, 10)), Done(span(11, 40))]


async def test_an_item_whose_report_is_not_recorded_yet_is_not_sent_again(
    runner: FlowRunner, carrier: FakeCarrier
) -> None:
    runner.feed(Added(span(1, 5)))
    await settle()
    runner.feed(Added(span(1, 7)))
    await settle()
    assert [send.items for send in carrier.sent] == [span(1, 5), span(6, 7)]


async def test_an_item_whose_completion_is_recorded_is_gone(
    runner: FlowRunner, carrier: FakeCarrier
) -> None:
    carrier.records.set()
    runner.feed(Added(span(1, 5)))
    await settle()
    assert runner.flow.awaiting == ()


async def test_a_record_that_ends_nothing_leaves_its_items_waiting_for_their_proof(
    runner: FlowRunner, carrier: FakeCarrier
) -> None:
    carrier.ends = False
    carrier.records.set()
    runner.feed(Added(span(1, 5)))
    await settle()
    assert [delayed.items for delayed in runner.flow.awaiting] == [span(1, 5)]


async def test_what_the_registry_did_not_take_waits_and_the_next_record_goes_on(
    runner: FlowRunner, carrier: FakeCarrier
) -> None:
    carrier.fails = 1
    carrier.records.set()
    runner.feed(Added(span(1, 5)))
    await settle()
    runner.feed(Added(span(6, 7)))
    await settle()
    assert carrier.recorded == [Done(span(6, 7))]
    assert [delayed.items for delayed in runner.flow.awaiting] == [span(1, 5)]
