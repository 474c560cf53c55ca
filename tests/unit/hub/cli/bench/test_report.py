from __future__ import annotations

from dataclasses import replace

from hub.cli.bench.report import number, table, target_lines, text
from tests.harness.bench import RESULT, RUN, resting, soak_of


def test_the_text_has_every_phase_every_process_and_every_number_of_the_design() -> None:
    shown = text(RESULT)
    for phase in RUN.phases:
        assert f"\n{phase.name}" in shown
    assert "CPU us a packet  relayer-1  Postgres  hub  generator" in shown
    assert "1,000 of 1,000 packets complete; 1 invariants, 0 broken" in shown
    assert "header of 100 validators" in shown
    assert "FAILED" not in shown
    assert "commit abc" in shown


def test_what_everything_costs_at_rest_stands_beside_the_whole() -> None:
    assert "at rest" not in text(replace(RESULT, runs=(RUN,))).split("to reach")[0]
    shown = text(replace(RESULT, runs=(resting(RUN, 36),)))
    assert "CPU ms a second                      relayer-1  Postgres" in shown
    assert "at rest, a header a second and peer         36         4" in shown
    assert "round 1                               150          140" in shown


def test_targets_stand_beside_what_was_measured() -> None:
    lines = target_lines(RESULT)
    row = next(line for line in lines if line.startswith("packets/s, 1 relayer process"))
    assert row.endswith("4,000  >= 15,000  >= 30,000           not reached")
    row = next(line for line in lines if line.startswith("packets/s, 2 relayer"))
    assert row.endswith("not measured")


def test_a_lost_packet_is_told_at_the_end() -> None:
    broken = replace(RESULT, runs=(replace(RUN, completed=1),))
    assert text(broken).endswith("FAILED: one relayer: 1 of 1000 packets are complete")


def test_a_soak_is_told() -> None:
    soak = soak_of([80.0] * 10, [10.0] * 10)
    shown = text(replace(RESULT, runs=(soak,)))
    assert "soak of 10 slices, 10.0 minutes at 5,000/s" in shown


def test_a_run_that_never_began_is_told_too() -> None:
    run = replace(RUN, phases=(), functions_us={}, memory_mb={}, unfinished="not begun")
    shown = text(replace(RESULT, runs=(run,)))
    assert shown.endswith("FAILED: one relayer: unfinished: not begun")


def test_invariants_that_nobody_had_time_for_are_told() -> None:
    run = replace(RUN, violations={"I1": 0, "I4": -1})
    assert "2 invariants, 0 broken, 1 not looked at whole" in text(replace(RESULT, runs=(run,)))


def test_numbers_have_three_digits_that_tell_something() -> None:
    told = [number(value) for value in (0.0, 0.004, 1.5, 12.34, 1234.5, 100, 30, -20.0)]
    assert told == ["0", "0", "1.5", "12.3", "1,234", "100", "30", "-20"]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("a", "bb"), [("ccc", "d")]) == ["a    bb", "ccc   d"]
