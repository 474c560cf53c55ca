"""Executions on their way through the chain, each answered by one report.

They begin in the order in which the relayer asked, at most as many at once as were granted.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from adapters.sdk.execution import ExecutionResult, Refused
from adapters.sdk.failpoints import Failpoint, hit
from adapters.sdk.wire.decode import execution_from_proto
from adapters.sdk.wire.encode import refusal_to_proto, report_to_proto
from hub.core.errors import CreditsSpent, HubError
from hub.wire.tracing import OFF, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ydhub.relay.v1 import relay_pb2 as pb

    from adapters.sdk.chain import ChainAdapter
    from adapters.sdk.stream import Stream

FLOOD: Final = 4
"""A relayer that has so many times more outstanding than was granted keeps no account of it."""

_ALONE: Final[Mapping[str, Failpoint]] = {
    "acknowledge": Failpoint.ACKNOWLEDGEMENT_EXECUTED,
    "time_out": Failpoint.REFUND_EXECUTED,
}
"""By what is executed: the failpoint that is of it alone."""

_log = structlog.get_logger()


class Executions:
    """The executions of one session."""

    def __init__(
        self, chain: ChainAdapter, stream: Stream, tasks: asyncio.TaskGroup, credits_granted: int
    ) -> None:
        """At most *credits_granted* run at once, as *tasks*."""
        self._chain = chain
        self._stream = stream
        self._tasks = tasks
        self._credits = credits_granted
        self._running = 0
        self.tracing = OFF
        self._ended = asyncio.Event()

    def begin(self, execution: pb.Execution) -> None:
        """*execution* runs; its report goes out when the chain has answered.

        One too many is refused by its report; far too many end the session: ``CreditsSpent``.
        """
        if self._running >= FLOOD * self._credits:
            raise CreditsSpent(sent=self._running + 1, credits=self._credits)
        self._running += 1
        self._tasks.create_task(self._run(execution))

    async def drain(self) -> None:
        """Returns when every execution is reported."""
        while self._running:
            self._ended.clear()
            await self._ended.wait()

    async def _run(self, execution: pb.Execution) -> None:
        try:
            report = await self._report(execution)
            hit(Failpoint.EXECUTION_DONE)
            point = _ALONE.get(str(execution.WhichOneof("action")))
            if point is not None:
                hit(point)
            await self._stream.send(report)
            hit(Failpoint.EXECUTION_REPORTED)
        finally:
            self._running -= 1
            self._ended.set()

    async def _report(self, execution: pb.Execution) -> pb.AdapterFrame:
        number = execution.execution_id
        try:
            self._check_credits()
            result = await self._execute(execution)
        except HubError as error:
            _log.warning(
                "execution_refused",
                lane=execution.lane,
                execution=number,
                reason=error.reason,
                detail=str(error),
            )
            return report_to_proto(number, ExecutionResult(refused=(Refused(0, error),)))
        except Exception as error:  # noqa: BLE001 - a bug fails one execution, not the session
            _log.exception("execution_failed", lane=execution.lane, execution=number)
            frame = report_to_proto(number, ExecutionResult())
            frame.report.refused.append(refusal_to_proto(error))
            return frame
        for entry in result.refused:
            _log.warning(
                "item_refused",
                lane=execution.lane,
                sequence=entry.sequence,
                reason=entry.error.reason,
                detail=str(entry.error),
            )
        return report_to_proto(number, result)

    async def _execute(self, execution: pb.Execution) -> ExecutionResult:
        asked = execution_from_proto(execution)
        lane, before = execution.lane, execution.trace
        with self.tracing.stage(Stage.EXECUTE, lane, lambda: asked.sequences, before):
            return await self._chain.execute(asked)

    def _check_credits(self) -> None:
        if self._running > self._credits:
            raise CreditsSpent(sent=self._running, credits=self._credits)
