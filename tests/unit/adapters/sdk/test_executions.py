from __future__ import annotations

import asyncio

import pytest

from adapters.sdk.execution import ExecutionResult, Receive, Refused
from adapters.sdk.executions import FLOOD, Executions
from hub.core.errors import ChainUnreachable, CreditsSpent, TimeoutElapsed
from hub.core.ranges import RangeSet
from hub.wire.frames import ranges_from_proto
from tests.harness.attached import Attached, StuckStream, cursor, receive
from tests.harness.city import BACK, PaperChain
from tests.harness.clock import settle


async def test_an_execution_is_reported_once_the_chain_has_answered(both: Attached) -> None:
    session = await both.session(cursor(BACK, is_source=False))
    session.say(execution=receive(7, 3, 4, 5))
    execution = await both.chain.executions.get()
    assert isinstance(execution.action, Receive)
    assert execution.sequences == RangeSet.span(3, 6)
    error = TimeoutElapsed(timeout=1, time=2)
    both.chain.results.put_nowait(
        ExecutionResult(
            executed=RangeSet.of([3]),
            already_done=RangeSet.of([4]),
            refused=(Refused(5, error),),
        )
    )
    report = (await session.expect("report")).report
    assert report.execution_id == 7
    assert ranges_from_proto(report.executed) == RangeSet.of([3])
    assert ranges_from_proto(report.already_done) == RangeSet.of([4])
    [refusal] = report.refused
    assert (refusal.sequence, refusal.reason) == (5, "TIMEOUT_ELAPSED")
    assert not refusal.retryable


async def test_executions_begin_in_order_and_run_together(both: Attached) -> None:
    session = await both.session()
    session.say(execution=receive(1, 1))
    session.say(execution=receive(2, 2))
    begun = [(await both.chain.executions.get()).execution_id for _ in range(2)]
    assert begun == [1, 2]


async def test_more_executions_than_credits_are_refused_for_now(both: Attached) -> None:
    session = await both.session()
    for number in (1, 2, 3):
        session.say(execution=receive(number, number))
    report = (await session.expect("report")).report
    assert report.execution_id == 3
    assert report.refused[0].reason == "CREDITS_SPENT"
    assert report.refused[0].retryable


async def test_far_more_executions_than_credits_end_the_session() -> None:
    async with asyncio.TaskGroup() as tasks:
        executions = Executions(PaperChain(), StuckStream(), tasks, 2)  # type: ignore[arg-type]
        for number in range(FLOOD * 2):
            executions.begin(receive(number, 1))
        await settle()
        with pytest.raises(CreditsSpent):
            executions.begin(receive(99, 1))
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


@pytest.mark.parametrize(
    ("failure", "reason", "retryable"),
    [
        (ChainUnreachable(chain="c", problem="is away"), "CHAIN_UNREACHABLE", True),
        (RuntimeError("a bug"), "INTERNAL", True),
    ],
)
async def test_a_failed_execution_is_reported_and_the_session_goes_on(
    both: Attached, failure: Exception, reason: str, *, retryable: bool
) -> None:
    session = await both.session()
    session.say(execution=receive(1, 1))
    both.chain.results.put_nowait(failure)  # type: ignore[arg-type]
    [refusal] = (await session.expect("report")).report.refused
    assert (refusal.sequence, refusal.reason, refusal.retryable) == (0, reason, retryable)
    assert "a bug" not in refusal.detail
    session.say(execution=receive(2, 2))
    assert (await both.chain.executions.get()) is not None


async def test_a_malformed_execution_is_refused_by_itself(both: Attached) -> None:
    session = await both.session()
    execution = receive(9, 2, 1)
    session.say(execution=execution)
    [refusal] = (await session.expect("report")).report.refused
    assert (refusal.reason, refusal.retryable) == ("FRAME_INVALID", False)
