"""Rules that held, or did not, for every frame of the exam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.conformance import watch
from adapters.conformance.check import check
from adapters.conformance.demand import Failed, NotExaminable

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam


@check("relay.proto, AdapterFrame (ids rise by one; 256 items and 1 MiB)")
async def frames_within_limits(exam: Exam) -> None:
    """Frame ids rise by one, and no frame holds more items or bytes than it may."""
    _held(exam, watch.FRAMES)


@check("design section 5, headers and client updates")
async def headers_first(exam: Exam) -> None:
    """A header is shown before whatever is proven under it."""
    _held(exam, watch.HEADERS_FIRST)


@check("design section 4, proof batches; relay.proto, PacketBatch, AcknowledgementBatch")
async def batches_verify(exam: Exam) -> None:
    """Every frame of packets or acknowledgements is canonical, and its proof batch verifies."""
    _held(exam, watch.BATCHES)


@check("design section 5 (resumption); relay.proto, LaneCursor.done")
async def shown_once(exam: Exam) -> None:
    """No sequence is shown twice in a session, and none that a cursor calls done."""
    _held(exam, watch.SHOWN_ONCE)


@check("relay.proto, ExecutionReport")
async def reports(exam: Exam) -> None:
    """A report tells of each sequence of its execution once, and of no other."""
    _held(exam, watch.REPORTS)


@check("errors/v1/reason.proto (the closed list); relay.proto, Refusal")
async def reasons(exam: Exam) -> None:
    """Every refusal names a reason of the closed list, and none is a fault of the adapter."""
    _held(exam, watch.REASONS)


@check("relay_service.proto, Attach")
async def sessions_last(exam: Exam) -> None:
    """The adapter ends no session by itself, whatever it is asked for."""
    _held(exam, watch.SESSIONS)


def _held(exam: Exam, rule: str) -> None:
    """Raises ``Failed`` with the first breach, ``NotExaminable`` where none was possible."""
    breaches = exam.watch.breaches.get(rule, [])
    if breaches:
        more = f" (and {len(breaches) - 1} more)" if len(breaches) > 1 else ""
        raise Failed(breaches[0].expected, breaches[0].came + more)
    if not exam.watch.seen[rule]:
        raise NotExaminable("nothing was shown that could have broken it")
