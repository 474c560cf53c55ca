from __future__ import annotations

from hub.cli.bench.quantiles import quantile


def test_a_quantile_is_the_nearest_rank_over_packets_not_frames() -> None:
    entries = [(30, 1), (10, 98), (20, 1)]
    found = [quantile(entries, p) for p in (1, 500, 980, 981, 990, 991, 1000)]
    assert found == [10, 10, 10, 20, 20, 30, 30]


def test_of_nothing_it_is_nothing() -> None:
    assert quantile([], 500) == 0
    assert quantile([(7, 1)], 999) == 7
