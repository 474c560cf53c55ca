"""A run counts right and loses nothing; how fast anything is never decides a test."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.cli.bench import run as module
from hub.cli.bench.folder import save
from hub.cli.bench.options import Options, Proofs
from hub.cli.bench.plan import Kind, make_plan
from hub.cli.bench.result import Result, read_result
from hub.cli.bench.run import Run
from hub.core.lane import Order

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Options(
    rates=(400,),
    seconds=1,
    packets=600,
    rounds=1,
    window=200,
    idle=3,
    batch=30,
    payload=40,
    peers=3,
    lanes=8,
    active=5,
    relayers=2,
    keys=2000,
)
SOAK = replace(
    SMALL,
    rates=(60,),
    batch=10,
    idle=0,
    minutes=2,
    slice_seconds=1,
    peers=2,
    lanes=2,
    active=2,
    relayers=1,
    behind=1000,
    proofs=Proofs.MIXED,
    order=Order.ENFORCED,
)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only makes figures steadier is left out."""
    monkeypatch.setattr(module, "FLUSHED_S", 0)


@pytest.mark.timeout(240)
async def test_a_small_run_loses_nothing_and_adds_up(tmp_path: Path) -> None:
    """Four of its lanes lie between two relayer processes, one within one of them."""
    heard: list[str] = []
    run = Run("small", SMALL, heard.append)
    await run.carry_out()
    found = run.found
    assert found.problems == []
    assert found.violations
    assert found.sent == found.completed == make_plan(SMALL).packets
    assert [phase.name for phase in found.phases] == ["idle", "400/s", "round 1"]
    for phase in found.phases:
        assert 0 < phase.p50_ms <= phase.p99_ms <= phase.p999_ms <= phase.max_ms
        assert phase.per_second > 0
        assert phase.wal_bytes > 0
        assert phase.resent == 0
        assert {"relayer-1", "relayer-2", "hub", "Postgres", "generator"} <= set(phase.cpu_us)
    for name in ("relayer-1", "relayer-2"):
        memory = found.memory_mb[name]
        assert memory["peak"] >= memory["end"] > 0
    assert all(value > 0 for value in found.functions_us.values())
    assert len(heard) == 4 + len(found.phases)
    result = Result(made_at="2026-11-25T23:00:00Z", runs=(found,))
    save(tmp_path, result)
    assert read_result(tmp_path) == read_result(tmp_path / "result.json")
    assert read_result(tmp_path).runs[0].sent == found.sent
    assert "FAILED" not in (tmp_path / "table.txt").read_text()


@pytest.mark.timeout(240)
async def test_a_soak_builds_its_slices_as_it_goes_behind_a_past_and_in_order() -> None:
    run = Run("soak", SOAK, lambda _: None)
    await run.carry_out()
    found = run.found
    assert found.problems == []
    assert [phase.kind for phase in found.phases] == [Kind.SLICE, Kind.SLICE]
    assert found.sent == found.completed == make_plan(SOAK).packets
