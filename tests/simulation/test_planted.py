"""Each planted bug is found, by the check that is there for it; without any, nothing is found."""

from __future__ import annotations

import pytest

from tests.simulation.planted import PLANTED, Plant, find
from tests.simulation.run import run


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.name)
def test_a_planted_bug_is_found(plant: Plant) -> None:
    found = find(plant)
    assert found.promise in plant.promises, found


def test_nothing_is_found_once_the_bugs_are_gone() -> None:
    for plant in PLANTED:
        with plant.set():
            pass
    assert run(0).promise == ""
