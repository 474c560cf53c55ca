from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from adapters.conformance import traffic
from adapters.conformance.demand import Failed
from adapters.conformance.watch import REPORTS, Watch
from hub.core.ranges import EMPTY, RangeSet
from hub.core.time import MILLISECOND, SECOND, Duration
from tests.harness.clock import ManualClock

if TYPE_CHECKING:
    from adapters.conformance.exam import Exam

ASKED = RangeSet.of([1, 2, 3])


def exam() -> Exam:
    return cast("Exam", SimpleNamespace(watch=Watch(ManualClock())))


def report(**fields: Any) -> pb.ExecutionReport:
    def spans(name: str) -> list[pb.SequenceRange]:
        return [pb.SequenceRange(first=low, last=high) for low, high in fields.get(name, ())]

    refused = [pb.Refusal(sequence=n, reason="CLIENT_FROZEN") for n in fields.get("refused", ())]
    return pb.ExecutionReport(
        executed=spans("executed"), already_done=spans("already_done"), refused=refused
    )


@pytest.mark.parametrize(
    "told",
    [
        {"executed": [(1, 3)]},
        {"executed": [(1, 1)], "already_done": [(2, 2)], "refused": [3]},
        {"executed": [(1, 1)], "refused": [0]},
        {"refused": [0]},
    ],
)
def test_a_report_of_each_sequence_once_is_read(told: dict[str, Any]) -> None:
    one = exam()
    executed, before, refused = traffic.read(one, report(**told), ASKED)
    assert executed | before | RangeSet.of(refused) == ASKED
    assert REPORTS not in one.watch.breaches


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"executed": [(1, 2)]},
        {"executed": [(1, 4)]},
        {"executed": [(1, 3)], "already_done": [(3, 3)]},
        {"executed": [(1, 3)], "refused": [2]},
        {"executed": [(1, 2)], "refused": [4]},
    ],
)
def test_a_report_of_anything_else_is_a_breach(told: dict[str, Any]) -> None:
    one = exam()
    traffic.read(one, report(**told), ASKED)
    assert REPORTS in one.watch.breaches


def test_ranges_that_are_none_are_a_failure() -> None:
    with pytest.raises(Failed):
        traffic.read(exam(), report(executed=[(3, 1)]), ASKED)


def test_sequences_and_outcomes_are_told_in_words() -> None:
    assert traffic.words(EMPTY) == "none"
    assert traffic.words(RangeSet.of([1, 2, 3, 7])) == "1-3, 7"
    refusal = pb.Refusal(reason="CLIENT_FROZEN", detail="by two")
    told = traffic.outcome(RangeSet.of([1]), RangeSet.of([2]), {3: refusal})
    assert told == "1 executed; 2 already done; 3 refused, CLIENT_FROZEN: by two"
    assert traffic.outcome(EMPTY, EMPTY, {}) == "nothing"


def test_a_life_is_whole_seconds() -> None:
    assert traffic.whole(Duration(4 * SECOND + MILLISECOND)) == 4
    assert traffic.whole(Duration(MILLISECOND)) == 1
