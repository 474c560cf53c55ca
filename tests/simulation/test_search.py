"""The small exchange: every interleaving of a small scope, and walks through a larger one."""

from __future__ import annotations

import pytest

from tests.simulation.model import Broken
from tests.simulation.planted import PLANTED
from tests.simulation.search import SMALL, Scope, search, walk
from tests.simulation.small import LONG

WALKS = 500


@pytest.mark.parametrize("scope", SMALL, ids=lambda scope: scope.name)
def test_no_interleaving_breaks_a_promise(scope: Scope) -> None:
    found = search(scope, limit=20_000)
    assert found.broken is None, "\n".join([str(found.broken), *map(str, found.path)])
    assert found.ends > 0
    assert found.states > 900


def test_no_walk_breaks_a_promise() -> None:
    walks = [walk(seed) for seed in range(WALKS)]
    assert [(one.seed, one.broken) for one in walks if one.broken] == []
    assert sum(one.moves for one in walks) > 20 * WALKS


def test_a_walk_is_the_same_again() -> None:
    assert walk(11) == walk(11)


def test_a_search_shows_a_shortest_way_to_what_is_broken() -> None:
    plant = next(one for one in PLANTED if one.name == "fence not checked")
    with plant.set():
        found = search(Scope(name="", timeouts=(LONG,), detach=1), limit=20_000)
    assert isinstance(found.broken, Broken)
    assert found.broken.promise == "only the lease's owner writes"
    assert "detach" in {move[0] for move in found.path}
    assert len(found.path) < 12


def test_a_search_of_too_many_states_is_told() -> None:
    with pytest.raises(RuntimeError, match="more than 50 states"):
        search(SMALL[0], limit=50)
