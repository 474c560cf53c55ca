from __future__ import annotations

from hub.core.errors import Reason
from hub.core.ranges import EMPTY, RangeSet
from hub.core.record import ExceptionKind, PacketException
from hub.core.time import Timestamp
from relayer.steps.delayed import Delayed
from relayer.steps.flow import Attempt, Flow
from relayer.steps.retries import due_retries, excluded, retries, union, unparked, waiting


def exception(
    sequence: int, kind: ExceptionKind, next_attempt_at: int | None = None
) -> PacketException:
    return PacketException(
        sequence=sequence,
        kind=kind,
        reason=Reason.PACKET_INVALID,
        detail="",
        attempts=1,
        next_attempt_at=None if next_attempt_at is None else Timestamp(next_attempt_at),
    )


FOUND = {kind: RangeSet.of([number]) for number, kind in enumerate(ExceptionKind, 1)}


def of_kind(*kinds: ExceptionKind) -> RangeSet:
    return union([FOUND[kind] for kind in kinds])


def test_denied_ones_holes_and_parked_ones_are_not_delivered() -> None:
    kinds = (ExceptionKind.DENIED, ExceptionKind.HOLE, ExceptionKind.PARKED)
    assert excluded(FOUND) == of_kind(*kinds)
    assert excluded({}) == retries({}) == EMPTY


def test_only_a_retry_is_tried_again() -> None:
    assert retries(FOUND) == of_kind(ExceptionKind.RETRY)


def test_a_retry_is_due_once_its_time_has_come() -> None:
    found = [
        exception(1, ExceptionKind.RETRY),
        exception(2, ExceptionKind.RETRY, 9),
        exception(3, ExceptionKind.RETRY, 10),
        exception(4, ExceptionKind.RETRY, 11),
        exception(5, ExceptionKind.PARKED, 9),
    ]
    assert due_retries(found, Timestamp(10)) == RangeSet.of([2, 3])


def test_what_the_flow_is_about_is_left_alone() -> None:
    flow = Flow(
        pending=RangeSet.of([1]),
        parked=RangeSet.of([2]),
        in_flight=(Attempt(1, RangeSet.of([3])),),
        later=(Delayed(RangeSet.of([4]), Timestamp(9)),),
    )
    assert unparked(RangeSet.of([1, 2, 3, 4, 5]), flow) == RangeSet.of([2, 5])


def test_parked_ones_and_those_of_a_later_time_wait() -> None:
    flow = Flow(
        pending=RangeSet.of([1]),
        parked=RangeSet.of([2]),
        later=(Delayed(RangeSet.of([4, 5]), Timestamp(9)),),
    )
    assert waiting(flow) == RangeSet.of([2, 4, 5])
    assert waiting(Flow()) == EMPTY
