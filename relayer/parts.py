"""An attempt in parts: one execution for each proof, so that what fails in one part stays there.

Parts are planned one after the other, for each may count on the updates of those before it, and
are executed together.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from hub.core.errors import HubError
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import SECOND, Duration
from hub.wire.tracing import Stage
from relayer.failpoints import Failpoint, hit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from ydhub.relay.v1 import relay_pb2 as pb

    from relayer.session import Session
    from relayer.steps.events import Refused

_log = structlog.get_logger()

Found = tuple[RangeSet, list["Refused"]]
"""Items executed, and items refused."""
PLANNED_WITHIN: Final = Duration(30 * SECOND)
"""No part is planned later: whose adapter proves slowly holds an attempt's turn no longer."""


@dataclass(frozen=True, slots=True)
class Part:
    """One execution, and how its report is read."""

    execution: pb.Execution
    read: Callable[[pb.ExecutionReport], Found]
    """May raise ``Malformed``."""
    stage: Stage = Stage.DELIVER
    sequences: Callable[[], RangeSet] = lambda: EMPTY
    """The packets that it is of."""


async def planned(part: Part) -> Part:
    """*part*, which is planned already."""
    return part


async def carry_parts(
    session: Session,
    plans: Iterable[Awaitable[Part]],
    sent: Failpoint,
    goes_on: Callable[[], None],
    check: Callable[[], None] | None = None,
) -> Found:
    """What became of every part that could be planned and was reported; *goes_on* hears of each.

    *check* is asked as each part leaves, which may be long after it was planned, and raises if it
    is not to leave. What a failed part holds is in neither, and what there was no time to plan.
    Raises the first ``HubError`` where every part failed.
    """
    parts: list[Part] = []
    failures: list[HubError] = []
    until = session.clock.monotonic() + PLANNED_WITHIN
    for plan in plans:
        try:
            parts.append(await plan)
        except HubError as error:
            failures.append(error)
        goes_on()
        if session.clock.monotonic() >= until:
            break
    found = await asyncio.gather(*[_execute(session, part, sent, goes_on, check) for part in parts])
    failures += [result for result in found if isinstance(result, HubError)]
    results = [result for result in found if not isinstance(result, HubError)]
    for failure in failures:
        _log.info("part_failed", peer=session.peer, reason=failure.reason, detail=str(failure))
    if failures and not results:
        raise failures[0]
    executed, refused = EMPTY, []
    for done, refusals in results:
        executed |= done
        refused += refusals
    return executed, refused


async def _execute(
    session: Session,
    part: Part,
    sent: Failpoint,
    goes_on: Callable[[], None],
    check: Callable[[], None] | None,
) -> Found | HubError:
    execution, stage = part.execution, part.stage
    try:
        with session.tracing.stage(stage, execution.lane, part.sequences) as span:
            if span.context:
                execution.trace = span.context
            is_refund = execution.HasField("time_out")
            points = (sent, Failpoint.REFUND_SENT) if is_refund else (sent,)
            report = await session.execute(execution, lambda: _come_to(points), check)
            return part.read(report)
    except HubError as error:
        return error
    finally:
        goes_on()


def _come_to(points: Iterable[Failpoint]) -> None:
    for point in points:
        hit(point)
