from __future__ import annotations

import pytest

from hub.cli.bench.options import check
from hub.cli.bench.presets import (
    CAPACITY,
    EVERY_LANE,
    MANY_LANES,
    MANY_PEERS,
    ONE_LANE,
    PRESETS,
    SOAK,
    at_half,
    runs,
)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_run(preset: str) -> None:
    for _, options in runs(preset, {}):
        check(options)
    names = [name for name, _ in runs(preset, {})]
    assert len(set(names)) == len(names)


def test_what_is_given_changes_every_run() -> None:
    assert [options.keys for _, options in runs("committed", {"keys": 5})] == [5] * 5


def test_growth_is_many_lanes_against_one() -> None:
    found = dict(runs("growth", {}))
    assert (found[ONE_LANE].lanes, found[MANY_LANES].lanes) == (1, 10_000)
    assert found[MANY_LANES].active == 100
    assert (found[MANY_PEERS].peers, found[EVERY_LANE].carrying) == (100, 10_000)


def test_a_soak_looks_for_the_capacity_unless_its_rate_is_given() -> None:
    capacity, soak = runs("soak", {"minutes": 7})
    assert (capacity[0], capacity[1].minutes) == (CAPACITY, 0)
    assert (soak[0], soak[1].minutes) == (SOAK, 7)
    assert [name for name, _ in runs("soak", {"rates": (700,)})] == [SOAK]


def test_it_runs_at_half_of_that_in_whole_hundreds() -> None:
    _, options = runs("soak", {})[1]
    assert at_half(options, 15_468).rates == (7700,)
    assert at_half(options, 3.0).rates == (100,)
