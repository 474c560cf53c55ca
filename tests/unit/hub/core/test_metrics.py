from __future__ import annotations

import re

from hub.core.metrics import BY_NAME, TABLE, Kind, Metric, Program, exposed_by

UNITS = {"s": "_seconds", "unix s": "_timestamp_seconds", "bytes": "_bytes"}


def stem(metric: Metric) -> str:
    return metric.name.removesuffix("_total")


def test_a_name_stands_once_and_is_ours_or_the_librarys() -> None:
    assert len(BY_NAME) == len(TABLE)
    for metric in TABLE:
        assert re.fullmatch(r"[a-z][a-z_]+[a-z]", metric.name)
        assert metric.name.startswith("process_" if metric.is_library else "ydhub_")


def test_counters_and_only_they_end_in_total() -> None:
    for metric in TABLE:
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name


def test_a_name_ends_in_its_base_unit() -> None:
    for metric in TABLE:
        if metric.unit in UNITS:
            end = "_time_seconds" if metric.is_library else UNITS[metric.unit]
            assert stem(metric).endswith((UNITS[metric.unit], end)), metric.name


def test_histograms_and_only_they_have_rising_bounds() -> None:
    for metric in TABLE:
        assert bool(metric.bounds_ms) == (metric.kind is Kind.HISTOGRAM)
        assert sorted(set(metric.bounds_ms)) == list(metric.bounds_ms)


def test_labels_are_bounded() -> None:
    known = {"peer", "lane", "reason", "kind", "way", "method", "relayer", "version", "result"}
    known |= {"invariant"}
    assert {label for metric in TABLE for label in metric.labels} == known


def test_a_histogram_is_scraped_as_three_series() -> None:
    [histogram] = [m for m in exposed_by(Program.RELAYER) if m.kind is Kind.HISTOGRAM]
    assert histogram.series == tuple(
        f"{histogram.name}_{part}" for part in ("bucket", "sum", "count")
    )
    assert BY_NAME["ydhub_sessions"].series == ("ydhub_sessions",)


def test_what_is_of_the_registry_is_the_hubs_alone() -> None:
    assert all(m.programs == (Program.HUB,) for m in TABLE if m.is_census)
    for program in Program:
        assert {m.name for m in exposed_by(program)} == {
            m.name for m in TABLE if program in m.programs
        }
