"""A flood loses nothing and hinders nobody; how fast anything is decides no test."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from hub.core.time import SECOND
from tests.bench.flood import (
    FLOODING,
    STEADY,
    Figures,
    FloodOptions,
    PhaseFigures,
    flood_plan,
    main,
    run,
    table,
)

MILLI = 1000
"""Microseconds."""
SMALL = FloodOptions(seconds=2, rate=10, times=30, keys=2000)
BEFORE = PhaseFigures(
    name="before",
    steady=[(10 * MILLI, 99), (40 * MILLI, 1)],
    flooding=[(10 * MILLI, 100)],
    refused=Counter(),
    took=5 * SECOND,
)
FLOOD = replace(
    BEFORE,
    name="flood",
    steady=[(15 * MILLI, 100)],
    flooding=[(900 * MILLI, 10_000)],
    refused=Counter(RATE_LIMITED=7),
)
FIGURES = Figures(phases=[replace(BEFORE, name="warm-up"), BEFORE, FLOOD], sent=9, completed=9)


def test_the_flood_is_of_as_many_frames_each_so_many_times_as_large() -> None:
    plan = flood_plan(SMALL)
    assert [lane.source_peer for lane in plan.lanes] == [FLOODING, STEADY]
    flood = plan.phases[2]
    assert [load.packets for load in flood.loads] == [600, 20]
    false = plan.phases[3]
    assert [load.packets for load in false.loads] == [0, 20]
    assert false.forged == 300


@pytest.mark.timeout(240)
async def test_everything_completes_and_false_proofs_are_slowed_by_typed_refusals() -> None:
    said: list[str] = []
    figures = await run(SMALL, said.append)
    assert figures.problems == []
    assert figures.completed == figures.sent == 10 + 10 + 20 + 20 + 600 + 20 + 20
    *honest, false = figures.phases
    assert all(not phase.refused for phase in honest)
    assert false.refused["RATE_LIMITED"]
    assert set(false.refused) <= {
        "RATE_LIMITED",
        "PROOF_UNPARSEABLE",
        "PROOF_BATCH_INVALID",
        "ROOT_MISMATCH",
    }
    assert said


def test_the_table_compares_with_before() -> None:
    lines = table(FIGURES).splitlines()
    assert len(lines) == 4
    assert lines[1].split()[:6] == ["before", "10.0", "ms", "10.0", "ms", "1.00"]
    assert lines[2].split() == [
        "flood", "15.0", "ms", "15.0", "ms", "1.50", "2,000", "900.0", "ms", "7", "RATE_LIMITED",
    ]  # fmt: skip
    assert lines[3] == "9 of 9 packets complete"


def test_lost_packets_and_broken_invariants_are_told() -> None:
    broken = replace(FIGURES, completed=7, violations=1)
    assert broken.problems == [
        "2 packets are not complete",
        "1 violations of the registry's invariants",
    ]
    assert table(broken).endswith(broken.problems[-1])


def test_more_than_a_frame_holds_is_refused() -> None:
    with pytest.raises(SystemExit):
        main(["--times", "257"])
