from __future__ import annotations

from dataclasses import dataclass

import pytest

from hub.core.budget import first_of, is_full, size_of


@dataclass(frozen=True)
class Bytes:
    content: bytes


FACTS = [Bytes(b"1234"), Bytes(b""), Bytes(b"12"), Bytes(b"123")]


@pytest.mark.parametrize(
    ("max_bytes", "count"), [(None, 4), (0, 0), (1, 1), (4, 1), (5, 3), (6, 3), (7, 4), (99, 4)]
)
def test_facts_end_with_that_one_with_which_there_is_enough(
    max_bytes: int | None, count: int
) -> None:
    found = first_of(FACTS, max_bytes)
    assert found == FACTS[:count]
    assert is_full(found, max_bytes) or found == FACTS


def test_what_is_less_than_asked_for_is_all_there_is() -> None:
    assert size_of(FACTS) == 9
    assert is_full(FACTS, 9)
    assert not is_full(FACTS, 10)
    assert not is_full(FACTS, None)
    assert first_of([], 5) == []
