from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.cli.bench.plan import Kind
from hub.cli.bench.soak import FEWEST, Soak, drift, lines, problems, slope, soak
from tests.harness.bench import RUN, soak_of

if TYPE_CHECKING:
    from hub.cli.bench.result import RunResult

FLAT = [80.0, 80.1, 79.9, 80.0, 80.1, 80.0, 79.9, 80.0, 80.1, 80.0]
EVEN = [10.0] * 10
HOURS = 24
"""So many times the ten minutes are long enough to tell everything."""


def found(run: RunResult) -> Soak:
    """What a soak that is long enough shows."""
    shown = soak(run)
    assert shown is not None
    return shown


def test_a_line_is_fitted_with_what_it_may_be_off_by() -> None:
    assert slope([(0, 1.0), (1, 3.0), (2, 5.0)]) == (2.0, 0.0)
    steepness, error = slope([(0, 0.0), (1, 1.2), (2, 1.8), (3, 3.0)])
    assert steepness == pytest.approx(0.96)
    assert 0 < error < 0.2
    assert slope([(5, 1.0)]) == (0.0, 0.0)


def test_drift_is_the_last_third_over_the_first() -> None:
    assert drift([10, 10, 10, 10, 11, 11]) == (0.1, 0.0)
    assert drift([10, 10, 99, 10, 11, 11])[0] == 0.1
    assert drift([0.0, 1.0, 1.0]) == (0.0, 0.0)


def test_what_neighbours_differ_by_is_what_chance_explains() -> None:
    uneasy = drift([10, 12, 10, 12, 10, 12])
    assert uneasy[0] == 0
    assert uneasy[1] > 0.5
    steady = drift([10, 12, 10, 12, 10, 12] * 20)
    assert 0 < steady[1] < uneasy[1] / 4
    step, outlier = drift([10] * 6 + [12] * 6), drift([10] * 6 + [99] + [10] * 5)
    assert (step, outlier) == ((0.2, 0.0), (0.0, 0.0))


def test_what_stays_as_it_is_for_hours_is_flat() -> None:
    run = soak_of(FLAT * HOURS, EVEN * HOURS)
    assert (found(run).problems, found(run).untold) == ([], [])
    assert (found(run).slices, found(run).seconds) == (240, 14_400)
    assert abs(found(run).memory_mb_per_hour) < 0.1
    assert lines(run)[-1] == "  flat"


def test_ten_minutes_cannot_tell_a_slow_leak() -> None:
    run = soak_of(FLAT, EVEN)
    assert problems(run) == []
    assert found(run).memory_mb_error > 10
    (line,) = [line for line in lines(run) if "NOT" in line]
    assert line.startswith("  NOT TOLD: memory may grow by up to 17")


def test_memory_that_grows_is_found() -> None:
    run = soak_of([float(80 + at) for at in range(10)], EVEN)
    assert found(run).memory_mb_per_hour == pytest.approx(60)
    assert problems(run) == ["memory grows by 60.0 MB an hour, 1 at most"]
    slow = soak_of([80 + at / 20 for at in range(240)], EVEN * HOURS)
    assert problems(slow) == ["memory grows by 3.0 MB an hour, 1 at most"]


def test_a_step_of_the_allocator_is_no_trend() -> None:
    run = soak_of([80.0] * 6 + [81.0] * 4, EVEN)
    assert found(run).memory_mb_per_hour > 5
    assert problems(run) == []


@pytest.mark.parametrize("slow", [{"waited_ms": 60_000}, {"per_second": 2500.0}])
def test_memory_grows_in_the_time_that_slices_took(slow: dict[str, float]) -> None:
    run = soak_of([float(80 + at) for at in range(10)], EVEN)
    phases = tuple([replace(phase, **slow) for phase in run.phases])  # type: ignore[arg-type]  # by name
    assert found(replace(run, phases=phases)).memory_mb_per_hour == pytest.approx(30)


def test_dead_rows_and_slower_packets_are_found() -> None:
    run = soak_of(FLAT, [10.0] * 5 + [12.0] * 5, bloat=0.21)
    assert problems(run) == [
        "dead rows are 21% of the tables, 20% at most",
        "the median latency has risen by 20%, 10% at most",
    ]
    assert "  NOT FLAT: dead rows are 21% of the tables, 20% at most" in lines(run)
    assert problems(soak_of(FLAT, EVEN, bloat=0.19)) == []


def test_latencies_that_jump_about_have_no_trend() -> None:
    run = soak_of(FLAT, [10.0, 10.0, 10, 14, 9, 13, 10, 15, 11, 15])
    assert problems(run) == []
    assert found(run).untold[-1].startswith("the median latency may have risen by up to ")


@pytest.mark.parametrize(
    "sizes", [[1.0] * 6 + [4.5] * 4, [100.0] * 6 + [119.0] * 4, [1.0, 1.0] + [50.0] * 8]
)
def test_tables_whose_rows_change_take_some_room(sizes: list[float]) -> None:
    assert problems(soak_of(FLAT, EVEN, changing=sizes)) == []


@pytest.mark.parametrize("sizes", [[1.0] * 6 + [5.5] * 4, [100.0] * 6 + [121.0] * 4])
def test_tables_whose_rows_change_do_not_grow_for_ever(sizes: list[float]) -> None:
    (problem,) = problems(soak_of(FLAT, EVEN, changing=sizes))
    assert problem.startswith(f"tables whose rows change have grown from {sizes[0]} MB by ")


def test_the_first_two_minutes_are_left_out() -> None:
    run = soak_of([10.0, 40.0, *FLAT[2:]], EVEN)
    assert problems(run) == []
    quick = replace(run, options={**run.options, "slice_seconds": 20})
    assert soak(quick) is None, "of ten slices of 20 s only four are left"


def test_other_runs_are_no_soak() -> None:
    assert soak(RUN) is None
    assert (lines(RUN), problems(RUN)) == ([], [])


def test_a_very_short_soak_says_that_it_tells_nothing() -> None:
    run = soak_of(FLAT[: FEWEST + 1], [10.0] * 4 + [99.0] * 3)
    assert len(run.of(Kind.SLICE)) == FEWEST + 1
    assert (soak(run), problems(run)) == (None, [])
    assert lines(run)[-1].startswith("  NOT TOLD: it is too short, 6 slices are needed after the ")
    assert soak(soak_of(FLAT[: FEWEST + 2], EVEN[: FEWEST + 2])) is not None
