from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from tests.harness.census import LANE, PEER


def test_a_census_is_of_its_moment() -> None:
    for one, name in ((PEER, "epoch"), (LANE, "open_count")):
        with pytest.raises(FrozenInstanceError):
            setattr(one, name, 9)
