from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from rich.console import Console
from ydhub.hub.v1 import status_service_pb2 as pb

from hub.cli.doctor.invariants import as_dict, asked, table
from tests.harness.sick_hub import away, database, healthy

if TYPE_CHECKING:
    from collections.abc import Sequence

BROKEN = pb.InvariantStatus(
    name="lane_states",
    violation_count=7,
    meaning="A lane that is open has no cause to pause.",
    samples=["lane 3 is OPEN", "lane [4] is OPEN"],
    duration=Duration(seconds=1, nanos=5_000_000),
)
CUT = pb.InvariantStatus(name="fencing_monotone", unfinished=True)


def lines(found: Sequence[pb.InvariantStatus]) -> list[str]:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table(found))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_what_was_not_asked_is_not_told() -> None:
    assert list(asked(away())) == []
    assert list(asked(healthy(invariants_asked=False))) == []
    assert [one.name for one in asked(healthy(database=database(invariants=[CUT])))] == [CUT.name]


def test_programs_are_told_of_rows_and_time() -> None:
    found = as_dict(BROKEN)
    assert (found["name"], found["state"], found["brokenRows"]) == ("lane_states", "BROKEN", 7)
    assert found["samples"] == ["lane 3 is OPEN", "lane [4] is OPEN"]
    assert (found["microseconds"], found["meaning"]) == (1_005_000, BROKEN.meaning)
    assert as_dict(CUT)["state"] == "unfinished"
    assert as_dict(pb.InvariantStatus(name="x"))["state"] == "holds"


def test_people_see_the_rows_below_what_they_break() -> None:
    heading, broken, first, second, cut = lines([BROKEN, CUT])
    assert heading.split() == ["INVARIANT", "STATE", "ROWS", "TOOK", "IT", "SAYS"]
    assert broken.split()[:5] == ["lane_states", "BROKEN", "7", "1005.0", "ms"]
    assert first.endswith("lane 3 is OPEN")
    assert second.endswith("lane [4] is OPEN")
    assert cut.split()[:3] == ["fencing_monotone", "unfinished", "0"]
