from __future__ import annotations

import re

from hub.core import invariants
from hub.core.invariants import BY_NAME, TABLE


def test_every_invariant_is_explained_and_has_its_source() -> None:
    assert len(BY_NAME) == len(TABLE)
    for one in TABLE:
        assert one.meaning.endswith(".")
        assert re.fullmatch(r"I\d+", one.source)


def test_all_twenty_of_the_reference_are_answered() -> None:
    page = invariants.__doc__ or ""
    assert re.findall(r"^I(\d+) ", page, re.MULTILINE) == [str(number) for number in range(1, 21)]
    for one in TABLE:
        row = re.search(rf"^{one.source} .*?(?=^I\d|^=)", page, re.MULTILINE | re.DOTALL)
        assert row is not None
        assert f"``{one.name}``" in row[0]
