from __future__ import annotations

from dataclasses import dataclass

import pytest
from ydhub.relay.v1 import relay_pb2 as pb

from hub.core.errors import ChainUnreachable
from hub.core.ranges import EMPTY
from relayer.merging import MAX_PROOFS, merged, within
from relayer.parts import Part


@dataclass(frozen=True)
class Item:
    sequence: int
    proof_id: int
    size: int = 1


def size(item: Item) -> int:
    return item.size


class Prover:
    """Plans parts, until it fails."""

    def __init__(self, failing_at: int = 0) -> None:
        self.asked: list[list[int]] = []
        self._failing_at = failing_at

    async def __call__(self, items: list[Item]) -> Part:
        self.asked.append([item.sequence for item in items])
        if len(self.asked) == self._failing_at:
            raise ChainUnreachable(chain="peers/hangzhou", problem="away")
        return Part(pb.Execution(), lambda _: (EMPTY, []))


def scattered(proofs: int, size: int = 1) -> list[Item]:
    """Two items of each proof, in no order."""
    items = [Item(number, number % proofs, size) for number in range(1, 2 * proofs + 1)]
    return items[::-1]


async def test_items_of_few_proofs_are_left_as_they_are() -> None:
    prove = Prover()
    assert await merged(scattered(MAX_PROOFS), size, prove) == []
    assert prove.asked == []


async def test_items_of_many_proofs_are_proven_together_in_their_order() -> None:
    prove = Prover()
    assert len(await merged(scattered(MAX_PROOFS + 1), size, prove)) == 1
    assert prove.asked == [list(range(1, 2 * MAX_PROOFS + 3))]


async def test_no_part_has_more_bytes_than_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relayer.merging.MAX_FRAME_BYTES", 100)
    prove = Prover()
    items = scattered(MAX_PROOFS + 1, size=30)
    assert len(await merged(items, size, prove)) == len(items) // 3
    assert prove.asked[:2] == [[1, 2, 3], [4, 5, 6]]


async def test_what_could_be_proven_before_a_failure_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relayer.merging.MAX_FRAME_BYTES", 100)
    items = scattered(MAX_PROOFS + 1, size=30)
    assert len(await merged(items, size, Prover(failing_at=3))) == 2
    assert await merged(items, size, Prover(failing_at=1)) == []


@pytest.mark.parametrize(("limit", "count"), [(0, 1), (9, 1), (10, 1), (19, 1), (20, 2), (99, 3)])
def test_the_first_that_fit_are_at_least_one(limit: int, count: int) -> None:
    items = [Item(number, 1, size=10) for number in (1, 2, 3)]
    assert within(limit, items, size) == items[:count]
    assert within(limit, [], size) == []
