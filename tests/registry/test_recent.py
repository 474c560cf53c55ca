"""What a registry remembers of its own facts is exactly what the database holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.errors import GateChanged
from hub.core.ranges import RangeSet
from hub.core.record import OutcomeKind
from hub.registry import partitions
from hub.registry.recent import OVERHEAD, PROOFS, Newest
from hub.registry.registry import PostgresRegistry
from tests.harness.registry import acceptance, connect, opened, settlement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.harness.postgres import Databases

EVERYTHING = RangeSet.span(1, 400)


@pytest.fixture
async def remembering(databases: Databases) -> AsyncIterator[PostgresRegistry]:
    async with await PostgresRegistry.connect(await databases.fresh()) as made:
        yield made
    await databases.drop()


@pytest.fixture
async def reading(
    remembering: PostgresRegistry, databases: Databases
) -> AsyncIterator[PostgresRegistry]:
    """Another registry on the same database, which wrote nothing."""
    async with await connect(databases.newest) as made:
        yield made


def remembered(registry: PostgresRegistry, lane_id: int, kind: str) -> RangeSet:
    """The numbers of that lane's facts that *registry* need not ask for."""
    facts = getattr(registry._recent.facts, kind)._facts
    return RangeSet.of(facts.get(lane_id, {}))


async def test_frames_of_several_lanes_are_remembered_as_they_are_stored(
    remembering: PostgresRegistry, reading: PostgresRegistry
) -> None:
    lanes = await opened(remembering)
    there, back = [lane.lane_id for lane in lanes.lanes]
    await remembering.packets.accept(
        lanes.source,
        [acceptance(there, [1, 2, 3], denied=[2]), acceptance(there, [5], timeout=1_900_000_000)],
    )
    await remembering.packets.accept(lanes.destination, [acceptance(back, [1, 2])])
    for lane_id, numbers in ((there, RangeSet.of([1, 2, 3, 5])), (back, RangeSet.of([1, 2]))):
        assert remembered(remembering, lane_id, "packets") == numbers
        kept = await remembering.packets.read(lane_id, numbers)
        assert kept == await reading.packets.read(lane_id, numbers)
        proof_ids = sorted({packet.proof_id for packet in kept})
        assert RangeSet.of(proof_ids) - remembered(remembering, PROOFS, "proofs") == RangeSet()
        proofs = await remembering.packets.proofs(proof_ids)
        assert proofs == await reading.packets.proofs(proof_ids)


async def test_outcomes_are_remembered_under_the_indexes_that_they_have(
    remembering: PostgresRegistry, reading: PostgresRegistry
) -> None:
    lanes = await opened(remembering)
    await lanes.accept(*range(1, 10))
    await lanes.settle(2, 4)
    frames = [
        settlement(lanes.lane, [1, 5], height=9),
        settlement(lanes.lane, [3], kind=OutcomeKind.ABSENCE),
        settlement(lanes.lane, [7, 8]),
    ]
    await remembering.outcomes.record(lanes.destination, frames)
    indexes = RangeSet.span(0, 7)
    assert remembered(remembering, lanes.lane, "outcomes") == indexes
    kept = await remembering.outcomes.read(lanes.lane, indexes)
    assert kept == await reading.outcomes.read(lanes.lane, indexes)
    proof_ids = sorted({outcome.proof_id for outcome in kept})
    assert len(proof_ids) == 4
    proofs = await remembering.packets.proofs(proof_ids)
    assert proofs == await reading.packets.proofs(proof_ids)


async def test_what_was_stored_after_a_look_under_lock_is_remembered_too(
    remembering: PostgresRegistry, reading: PostgresRegistry
) -> None:
    lanes = await opened(remembering)
    odd = list(range(1, 180, 2))
    for start in range(0, len(odd), 30):  # over 64 ranges: no single statement takes these
        await lanes.accept(*odd[start : start + 30])
    for start in range(0, len(odd), 30):
        await lanes.settle(*odd[start : start + 30])
    numbers = RangeSet.of(odd)
    assert remembered(remembering, lanes.lane, "packets") == numbers
    kept = await remembering.packets.read(lanes.lane, numbers)
    assert kept == await reading.packets.read(lanes.lane, numbers)
    indexes = RangeSet.span(0, len(odd))
    assert remembered(remembering, lanes.lane, "outcomes") == indexes
    settled = await remembering.outcomes.read(lanes.lane, indexes)
    assert settled == await reading.outcomes.read(lanes.lane, indexes)


async def test_what_was_refused_is_not_remembered(remembering: PostgresRegistry) -> None:
    lanes = await opened(remembering)
    await lanes.accept(1)
    with pytest.raises(GateChanged):
        await lanes.accept(1, 2)
    with pytest.raises(GateChanged):
        await lanes.accept(3, gate=7)
    assert remembered(remembering, lanes.lane, "packets") == RangeSet.of([1])


async def test_what_is_only_partly_remembered_is_read(
    remembering: PostgresRegistry, reading: PostgresRegistry
) -> None:
    lanes = await opened(remembering)
    await lanes.accept(1, 2)
    others = replace(lanes, registry=reading)
    await others.accept(3)
    assert remembered(remembering, lanes.lane, "packets") == RangeSet.of([1, 2])
    kept = await remembering.packets.read(lanes.lane, EVERYTHING)
    assert [packet.sequence for packet in kept] == [1, 2, 3]
    assert kept == await reading.packets.read(lanes.lane, EVERYTHING)


def test_the_oldest_facts_go_when_all_take_too_much() -> None:
    newest: Newest[str] = Newest(3 * OVERHEAD + 30)
    newest.keep(1, {1: "a", 2: "b"}, 20)
    newest.keep(2, {1: "c"}, 10)
    assert newest.among(1, RangeSet.of([1, 2])) == ["a", "b"]
    newest.keep(1, {3: "d"}, 1)
    assert newest.among(1, RangeSet.of([1])) is None
    assert newest.among(1, RangeSet.of([3])) == ["d"]
    assert newest.among(2, RangeSet.of([1])) == ["c"]
    newest.keep(3, {1: "e"}, 10_000)
    assert newest.among(3, RangeSet.of([1])) is None
    assert newest._facts == {}
    assert newest._bytes == 0


def test_facts_are_found_all_or_none_in_order() -> None:
    newest: Newest[str] = Newest(1 << 20)
    newest.keep(1, {5: "five", 4: "four"}, 8)
    newest.keep(1, {9: "nine"}, 4)
    assert newest.among(1, RangeSet.of([9, 4, 5])) == ["four", "five", "nine"]
    assert newest.among(1, RangeSet.of([4, 6])) is None
    assert newest.among(1, RangeSet.span(0, 1 << 62)) is None
    assert newest.among(1, RangeSet()) == []
    assert newest.among(7, RangeSet.of([4])) is None


async def test_after_a_promotion_nothing_is_known_that_only_the_old_primary_had(
    remembering: PostgresRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = await opened(remembering)
    await lanes.accept(1, 2, 3)
    await lanes.settle(1)
    async with remembering.database.line() as line:  # the new primary has another first outcome
        await line.execute("SET session_replication_role = replica")
        await line.execute("UPDATE outcomes SET sequence = 2")
        await line.execute("RESET session_replication_role")
    [known] = await remembering.outcomes.read(lanes.lane, RangeSet.of([0]))
    assert known.sequence == 1
    remembering._promoted()
    [known] = await remembering.outcomes.read(lanes.lane, RangeSet.of([0]))
    assert known.sequence == 2
    assert remembered(remembering, lanes.lane, "packets") == RangeSet()

    genuine = partitions.with_partitions

    async def slow(*given: Any) -> Any:
        rows = await genuine(*given)
        remembering._promoted()
        return rows

    monkeypatch.setattr("hub.registry.packets.with_partitions", slow)
    await lanes.accept(4)
    assert remembered(remembering, lanes.lane, "packets") == RangeSet()
    assert len(await remembering.packets.read(lanes.lane, RangeSet.of([4]))) == 1
