from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import AdapterOffline, FrameInvalid, Reason, RecordCorrupt
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import Refusal
from hub.core.time import SECOND, Duration
from relayer.failpoints import Failpoint
from relayer.parts import Found, Part, carry_parts
from relayer.steps.events import Refused
from tests.harness.clock import ManualClock, settle
from tests.harness.station import goes_on
from tests.unit.relayer.test_session import session

if TYPE_CHECKING:
    from relayer.session import Session

LATER = Refusal(Reason.BACKLOG_FULL, "later", is_final=False)


async def part(items: RangeSet, *refused: int, reads: bool = True) -> Part:
    def read(_: pb.ExecutionReport) -> Found:
        if not reads:
            raise FrameInvalid(frame="report", problem="is a lie")
        return items, [Refused(item, LATER) for item in refused]

    return Part(pb.Execution(), read)


async def broken() -> Part:
    raise RecordCorrupt(what="proof 7", stored="nothing", computed="a proof")


def report(one: Session, number: int) -> None:
    frame = pb.AdapterFrame(frame_id=number + 10, report=pb.ExecutionReport(execution_id=number))
    one.receive(frame)


async def test_parts_are_executed_together_and_their_reports_joined() -> None:
    one = session(execution_credits=4)
    plans = [part(RangeSet.of([1, 2])), part(RangeSet.of([5]), 6)]
    carried = asyncio.ensure_future(carry_parts(one, plans, Failpoint.DELIVERY_SENT, goes_on))
    await settle()
    assert one._outbound.qsize() == 2
    report(one, 1)
    report(one, 2)
    assert await carried == (RangeSet.of([1, 2, 5]), [Refused(6, LATER)])


async def test_it_tells_of_every_part_that_is_planned_or_done_or_failed() -> None:
    one, told = session(execution_credits=4), []
    plans = [part(RangeSet.of([1])), broken(), part(RangeSet.of([5]))]
    carried = asyncio.ensure_future(
        carry_parts(one, plans, Failpoint.DELIVERY_SENT, lambda: told.append(one._next_id))
    )
    await settle()
    assert len(told) == 3
    report(one, 1)
    await settle()
    assert len(told) == 4
    report(one, 2)
    await carried
    assert len(told) == 5


async def test_what_fails_in_one_part_stays_there() -> None:
    one = session(execution_credits=4)
    plans = [broken(), part(RangeSet.of([1]), reads=False), part(RangeSet.of([5]))]
    carried = asyncio.ensure_future(carry_parts(one, plans, Failpoint.DELIVERY_SENT, goes_on))
    await settle()
    report(one, 1)
    report(one, 2)
    assert await carried == (RangeSet.of([5]), [])


async def test_where_every_part_failed_the_first_failure_is_told() -> None:
    with pytest.raises(RecordCorrupt):
        await carry_parts(session(), [broken(), broken()], Failpoint.DELIVERY_SENT, goes_on)
    one = session()
    carried = asyncio.ensure_future(
        carry_parts(one, [part(EMPTY), broken()], Failpoint.DELIVERY_SENT, goes_on)
    )
    await settle()
    one.end(AdapterOffline(peer="hangzhou"))
    with pytest.raises(RecordCorrupt):
        await carried


async def test_cancelling_it_ends_its_executions() -> None:
    one = session(execution_credits=1)
    plans = [part(EMPTY), part(EMPTY)]
    carried = asyncio.ensure_future(carry_parts(one, plans, Failpoint.DELIVERY_SENT, goes_on))
    await settle()
    carried.cancel()
    await settle()
    assert one._reports == {}
    assert not one._executions.locked()


async def test_what_there_is_no_time_to_plan_is_left_out_and_the_rest_goes() -> None:
    """An adapter that proves each part just in time does not hold the attempt's turn for long."""
    clock = ManualClock()
    one, begun = session(clock, execution_credits=4), []

    async def slow(number: int) -> Part:
        begun.append(number)
        await clock.sleep(Duration(14 * SECOND))
        return await part(RangeSet.of([number]))

    plans = (slow(number) for number in range(1, 9))
    carried = asyncio.ensure_future(carry_parts(one, plans, Failpoint.DELIVERY_SENT, goes_on))
    for _ in range(3):
        await settle()
        await clock.advance(Duration(14 * SECOND))
    await settle()
    assert begun == [1, 2, 3]
    for number in begun:
        report(one, number)
    assert await carried == (RangeSet.of([1, 2, 3]), [])
