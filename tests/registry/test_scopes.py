"""A window costs the same for ever, and a sweep of windows leaves nothing out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from hub.core.ranges import RangeSet
from hub.core.time import SECOND, Duration
from hub.ports.registry import Sweep
from hub.registry import audit, scopes
from hub.registry.invariants import INVARIANTS, RECENT, counting
from hub.registry.scopes import BLOCK, LANES, window
from tests.harness.registry import opened
from tests.registry.test_invariants import plant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.registry.registry import PostgresRegistry

GROWS = re.compile(r"(packets|outcomes|proofs|headers)(_\d{8})?")


def looked_at(top: int, sweeps: int) -> RangeSet:
    """Sequences of one lane that the first *sweeps* look at, of those below *top*."""
    found = RangeSet()
    for number in range(sweeps):
        some, _ = window(Sweep(number), [(1, top)])
        for low, high in zip(some.lows, some.highs, strict=True):
            found |= RangeSet.of(range(low, min(high, top)))
    return found


@pytest.mark.parametrize("top", [1, 2, BLOCK, BLOCK + 1, BLOCK + 2, 10 * BLOCK + 7])
def test_a_lane_is_looked_at_whole_in_time(top: int) -> None:
    assert looked_at(top, 1 + top // BLOCK) == RangeSet.of(range(1, top))


def test_a_window_of_a_lane_is_two_blocks_that_do_not_meet() -> None:
    for number in range(7):
        some, _ = window(Sweep(number), [(1, 1_000_000_007)])
        (newest, older), (_, end) = some.lows, some.highs
        assert newest == 1_000_000_007 - BLOCK
        assert end <= newest
        assert end - older <= BLOCK


def test_a_sweep_goes_from_lane_to_lane_and_then_begins_anew() -> None:
    full = [(lane, 9) for lane in range(3, 3 + LANES)]
    _, after = window(Sweep(4), full)
    assert after == Sweep(4, 2 + LANES)
    _, after = window(after, [(500, 9)])
    assert after == Sweep(5)
    assert window(Sweep(5), []) == (scopes.Window((), (), ()), Sweep(6))


async def test_what_is_old_is_found_within_a_sweep(
    postgres: PostgresRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "BLOCK", 10)
    lanes = await opened(postgres)
    await lanes.accept(*range(1, 101))
    await plant(postgres, ["DELETE FROM packets WHERE sequence = 35"])
    sweep, seen = Sweep(), list[int]()
    while sweep.number < 9:
        found, sweep = await postgres.audit.recent(sweep)
        seen += [one.count for one in found if one.invariant == "sequences_dense"]
    assert sum(map(bool, seen)) == 1


async def test_lanes_are_taken_some_at_a_time(
    postgres: PostgresRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scopes, "LANES", 1)
    monkeypatch.setattr(audit, "LANES", 1)
    lanes = await opened(postgres)
    await lanes.accept(1, 2)
    await plant(postgres, ["DELETE FROM packets WHERE sequence = 1"])
    first, sweep = await postgres.audit.recent(Sweep())
    second, sweep = await postgres.audit.recent(sweep)
    counts = [
        one.count
        for round_ in (first, second)
        for one in round_
        if one.invariant == "sequences_dense"
    ]
    assert counts == [1, 0]
    _, sweep = await postgres.audit.recent(sweep)
    assert sweep == Sweep(1)


async def test_what_takes_too_long_is_not_finished_and_the_rest_is_asked(
    postgres: PostgresRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = dict(RECENT) | {"legal_moves": "SELECT 'x' FROM pg_sleep(60)"}
    monkeypatch.setattr(audit, "RECENT", slow)
    monkeypatch.setattr(audit, "SHORT", Duration(50_000_000))
    found = {one.invariant: one for one in (await postgres.audit.recent(Sweep()))[0]}
    assert not found["legal_moves"].is_finished
    assert found["stopped_sides"].is_finished
    monkeypatch.setattr(audit, "SHORT_OF_ALL", Duration(10_000_000))
    found = {one.invariant: one for one in (await postgres.audit.recent(Sweep()))[0]}
    assert not found["stopped_sides"].is_finished


async def test_what_the_server_does_not_end_in_time_ends_all_asking(
    postgres: PostgresRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = dict(INVARIANTS) | {"legal_moves": "SELECT 'x' FROM pg_sleep(60)"}
    monkeypatch.setattr(audit, "INVARIANTS", slow)
    monkeypatch.setattr(audit, "_GRACE_S", -9)  # the driver's time is over before the server's
    found = {one.invariant: one for one in await postgres.audit.violations(Duration(40 * SECOND))}
    assert found["lease_unique"].is_finished
    assert [name for name, one in found.items() if not one.is_finished] == [
        name for name in sorted(INVARIANTS) if name >= "legal_moves"
    ]
    monkeypatch.undo()
    assert all(one.is_finished for one in await postgres.audit.violations())


@pytest.mark.parametrize("invariant", RECENT)
async def test_a_window_is_read_by_key(postgres: PostgresRegistry, invariant: str) -> None:
    query = counting(RECENT[invariant])
    arrays = ([1], [1], [9]) if "$1" in query else ()
    async with postgres.database.line() as line, line.transaction():
        await line.execute(audit.BY_KEY.replace("SET ", "SET LOCAL "))
        shown = await line.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *arrays)
    whole = [table for table in _whole_scans(shown[0]["Plan"]) if GROWS.fullmatch(table)]
    assert whole == []


def _whole_scans(node: dict[str, Any], *, is_limited: bool = False) -> Iterator[str]:
    """Tables that are read without a key: in order and up to a limit is no such thing."""
    kind = node["Node Type"]
    is_limited = kind == "Limit" or (is_limited and kind != "Sort")
    if "Relation Name" in node and "Index Cond" not in node:
        is_ordered = kind in {"Index Scan", "Index Only Scan"}
        if not (is_ordered and is_limited):
            yield node["Relation Name"]
    for child in node.get("Plans", []):
        yield from _whole_scans(child, is_limited=is_limited)
