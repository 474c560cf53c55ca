from __future__ import annotations

import pytest

from hub.registry.replication import standby_problem


@pytest.mark.parametrize(
    ("names", "synchronous", "streaming", "hidden", "words"),
    [
        ("ANY 1 (a, b)", 1, 1, 0, ""),
        ("", 0, 1, 0, "synchronous_standby_names is empty"),
        ("ANY 1 (a, b)", 0, 0, 1, "GRANT pg_read_all_stats"),
        ("ANY 1 (a, b)", 0, 1, 0, "1 standbys stream, none of them synchronously"),
        ("ANY 1 (a, b)", 0, 0, 0, "0 standbys stream"),
    ],
)
def test_why_no_standby_has_every_commit(
    names: str, synchronous: int, streaming: int, hidden: int, words: str
) -> None:
    row = {"names": names, "synchronous": synchronous, "streaming": streaming, "hidden": hidden}
    problem = standby_problem(row)
    assert problem.startswith(words)
    assert bool(problem) == bool(words)
