from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub.cli.bench.comparison import Line, alone, as_json, comparison, differences, lines
from tests.harness.bench import PHASE, RESULT, RUN

if TYPE_CHECKING:
    from hub.cli.bench.result import PhaseResult, Result


def of(phase: PhaseResult, **changes: object) -> Result:
    run = replace(RUN, phases=(phase,), **changes)  # type: ignore[arg-type]
    return replace(RESULT, runs=(run,))


def marks(first: Result, second: Result) -> dict[str, str]:
    return {line.name: line.mark for line in lines(first, second) if line.mark}


def test_a_result_is_no_worse_than_itself() -> None:
    assert marks(RESULT, RESULT) == {}
    assert "worse than noise: nothing" in comparison(RESULT, RESULT)


def test_only_what_is_more_than_noise_is_marked() -> None:
    slower = replace(PHASE, p50_ms=14.0, p99_ms=25.0, per_second=3000.0)
    assert marks(of(PHASE), of(slower)) == {
        "one relayer: round 1: per_second": "worse",
        "one relayer: round 1: p50_ms": "worse",
    }
    assert set(marks(of(slower), of(PHASE)).values()) == {"better"}


def test_cost_is_held_to_less_noise() -> None:
    dearer = replace(PHASE, cpu_us={**PHASE.cpu_us, "relayer-1": 135.0}, wal_bytes=900.0)
    assert marks(of(PHASE), of(dearer)) == {
        "one relayer: round 1: CPU us of relayer-1": "worse",
        "one relayer: round 1: CPU us of relayer + Postgres": "worse",
        "one relayer: round 1: wal_bytes": "worse",
    }


def test_what_is_tiny_or_neither_good_nor_bad_is_not_marked() -> None:
    other = replace(PHASE, cpu_us={**PHASE.cpu_us, "hub": 1.9}, resent=5, packets=7)
    assert marks(of(PHASE), of(other)) == {}
    offered = replace(PHASE, rate=1000, per_second=900.0)
    assert marks(of(offered), of(replace(offered, per_second=100.0))) == {}


def test_what_was_asked_for_otherwise_is_told() -> None:
    other = replace(RUN, options={**RUN.options, "batch": 16, "keys": 5})
    assert differences(RESULT, RESULT) == []
    assert differences(RESULT, replace(RESULT, runs=(other,))) == [
        "one relayer: batch is 256 and 16",
        "one relayer: keys is 1000000 and 5",
    ]
    shown = comparison(RESULT, replace(RESULT, runs=(other,)))
    assert "not the same: one relayer: batch is 256 and 16" in shown


def test_only_what_both_have_is_compared() -> None:
    second = of(replace(PHASE, name="round 9"), functions_us={}, memory_mb={})
    assert lines(RESULT, second) == []
    other = replace(RESULT, runs=(replace(RUN, name="another"),))
    assert lines(RESULT, other), "the only runs of both are compared whatever their names"
    two = replace(RESULT, runs=(replace(RUN, name="another"), replace(RUN, name="third")))
    assert lines(RESULT, two) == []


def test_what_only_one_of_them_has_is_told() -> None:
    assert alone(RESULT, RESULT) == {}
    two = replace(RESULT, runs=(RUN, replace(RUN, name="third")))
    assert alone(two, replace(RESULT, runs=(RUN, replace(RUN, name="fourth")))) == {
        "A": ["third"],
        "B": ["fourth"],
    }
    longer = of(PHASE)
    longer = replace(longer, runs=(replace(RUN, phases=(PHASE, replace(PHASE, name="round 9"))),))
    assert alone(of(PHASE), longer) == {"B": ["one relayer: round 9"]}
    assert comparison(of(PHASE), longer).endswith("only in B: one relayer: round 9")
    assert as_json(of(PHASE), longer)["alone"] == {"B": ["one relayer: round 9"]}


def test_the_text_and_the_json_say_the_same() -> None:
    slower = replace(PHASE, p50_ms=20.0)
    shown = comparison(of(PHASE), of(slower))
    row = next(line for line in shown.splitlines() if line.startswith("one relayer: round 1: p50"))
    assert row.split()[-4:] == ["10", "20", "2.00", "worse"]
    numbers = {entry["name"]: entry for entry in as_json(of(PHASE), of(slower))["numbers"]}
    assert numbers["one relayer: round 1: p50_ms"] == {
        "name": "one relayer: round 1: p50_ms",
        "a": 10.0,
        "b": 20.0,
        "ratio": 2.0,
        "mark": "worse",
    }


def test_other_machines_are_named_and_nothing_has_no_ratio() -> None:
    shown = comparison(RESULT, replace(RESULT, machine="another"))
    assert shown.endswith("A on a machine\nB on another")
    assert Line("x", 0.0, 5.0, 1.3).ratio is None
    assert Line("x", 0.0, 5.0, 1.3).mark == ""
