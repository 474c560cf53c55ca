"""The bench counts right and loses nothing; how fast anything is never decides a test."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from hub.core.time import SECOND
from tests.bench import accounting, micro
from tests.bench.__main__ import BROKEN, GOOD, UNFINISHED, main
from tests.bench.load import lane_slots
from tests.bench.options import Options, check, parse
from tests.bench.plan import WARM_UP, make_plan
from tests.bench.report import comparison, rows, text
from tests.bench.result import PhaseResult, Result
from tests.bench.run import run
from tests.bench.traffic import Frame, LaneTraffic, quantile

if TYPE_CHECKING:
    from pathlib import Path

SMALL = Options(
    rates=(600,),
    seconds=1,
    packets=600,
    rounds=2,
    window=200,
    idle=3,
    batch=30,
    payload=40,
    peers=3,
    lanes=5,
    quiet=3,
    relayers=2,
    keys=4000,
)
PHASE = PhaseResult(
    name="round 1",
    rate=0,
    packets=1000,
    per_second=4000.0,
    p50_ms=10.0,
    p99_ms=20.0,
    p999_ms=30.0,
    relayer_us=100.0,
    postgres_us=50.0,
    generator_us=5.0,
    wal_bytes=700.0,
    transactions=0.01,
    resent=0,
)
RESULT = Result(
    made_at="2026-11-25T17:00:00Z",
    command="python -m tests.bench",
    machine="a machine",
    busy=0.5,
    commit="abc",
    load="a load",
    options={"relayers": 1},
    phases=(
        PHASE,
        replace(PHASE, name="round 2", per_second=2000.0),
        replace(PHASE, name="round 3", per_second=3000.0, postgres_us=80.0),
        replace(PHASE, name="1000/s", rate=1000, p99_ms=44.0),
        replace(PHASE, name="idle", p50_ms=7.0),
    ),
    functions_us={"header of 100 validators": 7000.0},
    memory_mb={"start": 60.0, "end": 70.0, "peak": 80.0},
    database_bytes=800.0,
    sent=1000,
    completed=1000,
    violations={"I1": 0},
)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only makes figures steadier is left out."""
    monkeypatch.setattr(accounting, "FLUSHED_S", 0)
    monkeypatch.setattr(micro, "LOOP_NS", 1)


async def test_a_small_run_loses_nothing_and_adds_up() -> None:
    """Four of its lanes lie between two relayer processes, one within one of them."""
    heard: list[str] = []
    result = await run(SMALL, heard.append)
    assert result.problems == []
    assert set(result.violations.values()) == {0}
    warm_up = WARM_UP * SMALL.batch * SMALL.lanes
    assert result.sent == result.completed == warm_up + sum(p.packets for p in result.phases)
    assert [phase.name for phase in result.phases] == ["idle", "600/s", "round 1", "round 2"]
    assert all(phase.p50_ms <= phase.p99_ms <= phase.p999_ms for phase in result.phases)
    assert all(phase.per_second > 0 and phase.wal_bytes > 0 for phase in result.phases)
    assert result.memory_mb["peak"] >= result.memory_mb["end"] > 0
    assert all(value > 0 for value in result.functions_us.values())
    assert len(heard) == 2 + 1 + len(result.phases)
    assert json.loads(json.dumps(result.as_json()))["sent"] == result.sent
    assert "FAILED" not in text(result)


@pytest.mark.parametrize("options", [SMALL, Options(), Options(lanes=5, peers=4, batch=7)])
def test_every_sequence_of_a_lane_is_sent_once_and_in_order(options: Options) -> None:
    plan = make_plan(options)
    for lane in plan.lanes:
        slots = lane_slots(plan, lane)
        assert slots[0].first == 1
        assert all(a.first + a.count == b.first for a, b in pairwise(slots))
        assert all(1 <= slot.count <= options.batch for slot in slots)
    assert len(set(plan.lanes)) == len(plan.lanes) == options.lanes


@pytest.mark.parametrize("rate", [1, 600, 1000, 5000, 30_000])
def test_open_loop_offers_the_rate_that_was_asked_for(rate: int) -> None:
    options = replace(SMALL, rates=(rate,), seconds=60, lanes=3)
    phase = next(phase for phase in make_plan(options).phases if phase.rate)
    frames = len(phase.slots[0])
    offered = phase.packets * SECOND / (frames * phase.interval)
    assert offered == pytest.approx(rate, rel=0.01)
    assert frames * phase.interval == pytest.approx(60 * SECOND, rel=0.1)


def test_a_quantile_is_the_nearest_rank_over_packets_not_frames() -> None:
    assert quantile([], 500) == 0
    assert quantile([(7, 1)], 999) == 7
    entries = [(30, 1), (10, 98), (20, 1)]
    assert [quantile(entries, p) for p in (1, 500, 980, 981, 990, 991, 1000)] == [
        10,
        10,
        10,
        20,
        20,
        30,
        30,
    ]


def test_a_packet_counts_once_however_often_it_is_handed_over() -> None:
    plan = make_plan(SMALL)
    slots = lane_slots(plan, plan.lanes[0])
    traffic = LaneTraffic(plan.lanes[0], [Frame(slot, b"", b"") for slot in slots])
    frame = traffic.frame_of(70)
    assert (frame.first, frame.end) == (61, 91)
    traffic.sent(frame, due_at=1000)
    traffic.acknowledged(frame, range(61, 75), now=1010)
    traffic.acknowledged(frame, range(70, 91), now=1050)
    assert traffic.latencies.entries == [(10, 14), (50, 16)]
    assert (traffic.under_way, traffic.resent) == (0, 5)
    with pytest.raises(LookupError):
        traffic.frame_of(slots[-1].first + slots[-1].count)


def test_the_table_states_the_median_round_beside_what_is_aimed_at() -> None:
    found = {row.name: row for row in rows(RESULT)}
    assert found["packets/s, 1 relayer process"].measured == 3000.0
    assert found["CPU us a packet, relayer + Postgres"].measured == 150.0
    assert found["latency at 1,000/s, p99 ms"].measured == 44.0
    assert found["latency at 1,000/s, p99 ms"].expected == "< 250"
    assert found["one packet on an idle hub, p50 ms"].measured == 7.0
    assert found["header of 100 validators, ms"].measured == 7.0
    shown = text(RESULT)
    assert "1,000 of 1,000 packets complete; 1 invariants, 0 violations" in shown


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (replace(RESULT, completed=999), "999 of 1000 packets are complete"),
        (replace(RESULT, violations={"I1": 0, "I4": 2}), "2 rows break I4"),
    ],
)
def test_a_lost_packet_or_a_broken_invariant_fails_the_run(broken: Result, problem: str) -> None:
    assert RESULT.problems == []
    assert broken.problems == [problem]
    assert f"FAILED: {problem}" in text(broken)


def test_the_exit_code_tells_good_broken_and_unfinished_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "deep" / "a.json"
    for found, code in ((RESULT, GOOD), (replace(RESULT, completed=1), BROKEN)):

        async def answer(*_: object, found: Result = found) -> Result:
            return found

        monkeypatch.setattr("tests.bench.__main__.run", answer)
        assert main(["--json", str(file)]) == code
        assert json.loads(file.read_text())["completed"] == found.completed

    async def fail(*_: object) -> Result:
        raise TimeoutError("7 packets did not come back")

    monkeypatch.setattr("tests.bench.__main__.run", fail)
    assert main([]) == UNFINISHED
    assert "7 packets did not come back" in capsys.readouterr().err


def test_two_results_are_compared_number_by_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = replace(RESULT, phases=(replace(PHASE, per_second=6000.0, resent=5),))
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file, result in zip(files, (RESULT, other), strict=True):
        file.write_text(json.dumps(result.as_json()))
    assert main(["--compare", *map(str, files)]) == GOOD
    shown = capsys.readouterr().out
    line = next(line for line in shown.splitlines() if line.startswith("round 1: per_second"))
    assert line.split()[-3:] == ["4,000", "6,000", "1.50"]
    assert "round 2" not in shown
    assert comparison(RESULT.as_json(), other.as_json()) in shown


@pytest.mark.parametrize(
    "options",
    [
        Options(batch=257),
        Options(peers=1),
        Options(window=100),
        Options(window=5000),
        Options(payload=300_000),
    ],
)
def test_options_that_cannot_be_run_are_refused(options: Options) -> None:
    assert check(Options()) == ""
    assert check(options)


def test_options_come_from_the_command_line() -> None:
    options, compared = parse(["--rate", "10", "--rate", "20", "--keys", "5000", "--json", "x"])
    assert (options.rates, options.keys, options.json, compared) == ((10, 20), 5000, "x", None)
    assert parse([])[0] == Options()
    assert parse(["--quiet", "0"])[0].quiet == 0
    for wrong in (["--packets", "0"], ["--quiet", "-1"], ["--batch", "300"]):
        with pytest.raises(SystemExit):
            parse(wrong)
