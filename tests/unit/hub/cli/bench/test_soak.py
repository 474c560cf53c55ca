from __future__ import annotations

import pytest

from hub.cli.bench.soak import drift, lines, slope, soak
from tests.harness.bench import RUN, soak_of

FLAT = [80.0, 80.1, 79.9, 80.0, 80.1, 80.0, 79.9, 80.0, 80.1, 80.0]
EVEN = [10.0] * 10


def test_a_line_is_fitted_with_what_it_may_be_off_by() -> None:
    assert slope([(0, 1.0), (1, 3.0), (2, 5.0)]) == (2.0, 0.0)
    found, error = slope([(0, 0.0), (1, 1.2), (2, 1.8), (3, 3.0)])
    assert found == pytest.approx(0.96)
    assert 0 < error < 0.2
    assert slope([(5, 1.0)]) == (0.0, 0.0)


def test_drift_is_the_last_third_over_the_first() -> None:
    assert drift([10, 10, 99, 10, 11, 11]) == 0.1
    assert drift([0.0, 1.0, 1.0]) == 0.0


def test_what_stays_as_it_is_has_no_problem() -> None:
    found = soak(soak_of(FLAT, EVEN))
    assert found is not None
    assert found.problems == []
    assert (found.slices, found.seconds) == (10, 600)
    assert abs(found.memory_mb_per_hour) < 1


def test_memory_that_grows_is_found() -> None:
    growing = [80 + at for at in range(10)]
    found = soak(soak_of([float(value) for value in growing], EVEN))
    assert found is not None
    assert found.memory_mb_per_hour == pytest.approx(60)
    assert found.problems == ["memory grows by 60 MB an hour"]


def test_dead_rows_and_slower_packets_are_found() -> None:
    found = soak(soak_of(FLAT, [10.0] * 5 + [12.0] * 5, bloat=0.21))
    assert found is not None
    assert found.problems == [
        "dead rows are 21% of the tables",
        "the median latency has risen by 20%",
    ]
    assert "  NOT FLAT: dead rows are 21% of the tables" in lines(soak_of(FLAT, EVEN, bloat=0.21))


def test_the_first_slices_are_left_out() -> None:
    found = soak(soak_of([10.0, 40.0, *FLAT[2:]], EVEN))
    assert found is not None
    assert found.problems == []


def test_other_runs_and_very_short_ones_are_none() -> None:
    assert soak(RUN) is None
    assert soak(soak_of(FLAT[:3], EVEN[:3])) is None
    assert lines(RUN) == []
