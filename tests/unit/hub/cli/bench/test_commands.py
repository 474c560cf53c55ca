"""The command around runs that nobody carries out; tests/bench has a real one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.cli.bench.commands import changes
from hub.cli.bench.folder import save
from hub.cli.bench.options import Proofs
from hub.cli.bench.result import read_result
from hub.cli.bench.run import Run
from hub.cli.main import INTERRUPTED
from hub.core.errors import AnswerOverdue
from hub.core.lane import Order
from tests.harness.bench import PHASE, RESULT, RUN, soak_of
from tests.harness.command_line import run_command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Runs that were carried out at once."""
    found: list[Run] = []

    async def carry_out(run: Run) -> None:
        found.append(run)
        run.found = replace(RUN, name=run.name, options=run.found.options)

    monkeypatch.setattr(Run, "carry_out", carry_out)
    return found


def test_a_run_is_kept_told_and_good(tmp_path: Path, carried: list[Run]) -> None:
    ran = run_command("bench", "--results", tmp_path, "--rate", 7, "--keys", 9, "--name", "mine")
    assert ran.code == 0
    assert carried[0].options.rates == (7,)
    assert carried[0].options.keys == 9
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith("-mine")
    assert f"kept in {folder}" in ran.error
    assert "== one relayer: a load" in ran.out
    assert read_result(folder).preset == "standard"


def test_json_says_all_of_it_and_the_verdicts(tmp_path: Path, carried: list[Run]) -> None:
    ran = run_command("bench", "--preset", "standard", "--results", tmp_path, "-o", "json")
    assert ran.json["runs"][0]["name"] == carried[0].name == "one relayer"
    assert ran.json["verdicts"]["latency at 5,000/s, p50 ms"] == "reached"
    assert (ran.code, ran.json["folder"]) == (0, str(next(tmp_path.iterdir())))


def test_a_soak_runs_at_half_of_what_was_reached(tmp_path: Path, carried: list[Run]) -> None:
    ran = run_command("bench", "--preset", "soak", "--minutes", 3, "--results", tmp_path)
    assert ran.code == 0
    assert [run.options.minutes for run in carried] == [0, 3]
    assert carried[1].options.rates == (2000,)


@pytest.mark.parametrize(
    ("memory", "code", "told"),
    [
        ([80.0] * 10, 0, []),
        ([80.0 + at for at in range(10)], 11, ["memory grows by 60.0 MB an hour, 1 at most"]),
    ],
)
def test_a_soak_that_is_not_flat_ends_the_call_as_a_broken_check_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: list[float], code: int, told: list[str]
) -> None:
    async def carry_out(run: Run) -> None:
        run.found = soak_of(memory, [10.0] * 10)

    monkeypatch.setattr(Run, "carry_out", carry_out)
    words = ["bench", "--preset", "soak", "--rate", 5000, "--results", tmp_path]
    ran = run_command(*words)
    assert ran.code == code
    assert [line for line in ran.out.splitlines() if "NOT FLAT" in line] == [
        f"  NOT FLAT: {problem}" for problem in told
    ]
    ran = run_command(*words, "--name", "json", "-o", "json")
    assert (ran.code, ran.json["not_flat"]) == (code, told)


def test_a_lost_packet_ends_the_call_with_its_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def carry_out(run: Run) -> None:
        run.found = replace(RUN, completed=1)

    monkeypatch.setattr(Run, "carry_out", carry_out)
    ran = run_command("bench", "--preset", "committed", "--results", tmp_path)
    assert ran.code == 11
    assert "FAILED: one relayer: 1 of 1000 packets are complete" in ran.out
    (folder,) = tmp_path.iterdir()
    assert len(read_result(folder).runs) == 1, "nothing is measured on after that"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AnswerOverdue(what="the generator", waited_ms=0), 9),
        (KeyboardInterrupt(), INTERRUPTED),
        (asyncio.CancelledError(), INTERRUPTED),
    ],
)
def test_what_was_measured_is_kept_whatever_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    async def carry_out(run: Run) -> None:
        run.found = replace(RUN, unfinished="after idle")
        raise error

    monkeypatch.setattr(Run, "carry_out", carry_out)
    ran = run_command("bench", "--results", tmp_path)
    assert ran.code == code
    (folder,) = tmp_path.iterdir()
    assert f"kept in {folder}" in ran.error
    assert read_result(folder).problems == ["one relayer: unfinished: after idle"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--batch", "300"], 3),
        (["--database-url", "postgresql://db.example/x"], 3),
        (["--name", "../x"], 3),
        (["--preset", "none"], 2),
        (["--family", "fabric"], 2),
        (["--order", "none"], 2),
        (["--rate", "x"], 2),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_made(
    tmp_path: Path, carried: list[Run], words: list[str], code: int
) -> None:
    assert run_command("bench", "--results", tmp_path / "r", *words).code == code
    assert carried == []
    assert not (tmp_path / "r").exists()


def test_who_logs_in_to_a_database_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, carried: list[Run]
) -> None:
    url = "postgresql://me:hidden-word@127.0.0.1/x"
    words = ["bench", "--results", str(tmp_path), "--database-url", url]
    monkeypatch.setattr("sys.argv", ["ydhub", *words])
    assert run_command(*words).code == 0
    (folder,) = tmp_path.iterdir()
    assert carried[0].options.database_url == url
    for file in folder.iterdir():
        assert "hidden-word" not in file.read_text()


def test_two_results_are_put_beside_each_other(tmp_path: Path) -> None:
    other = replace(RESULT, runs=(replace(RUN, phases=(replace(PHASE, p99_ms=99.0),)),))
    for name, result in (("a", RESULT), ("b", other)):
        (tmp_path / name).mkdir()
        save(tmp_path / name, result)
    ran = run_command("bench", "compare", tmp_path / "a", tmp_path / "b" / "result.json")
    assert ran.code == 0
    row = next(line for line in ran.out.splitlines() if "round 1: p99_ms" in line)
    assert row.split()[-4:] == ["20", "99", "4.95", "worse"]
    ran = run_command("bench", "compare", tmp_path / "a", tmp_path / "b", "-o", "json")
    marks = {entry["name"]: entry["mark"] for entry in ran.json["numbers"]}
    assert marks["one relayer: round 1: p99_ms"] == "worse"
    assert run_command("bench", "compare", tmp_path / "a", tmp_path / "none").code == 3


def test_two_results_without_a_number_in_common_are_told_and_what_each_has(tmp_path: Path) -> None:
    soak = [replace(RUN, name=name) for name in ("capacity", "soak")]
    for name, result in (("a", RESULT), ("b", replace(RESULT, runs=tuple(soak)))):
        (tmp_path / name).mkdir()
        save(tmp_path / name, result)
    ran = run_command("bench", "compare", tmp_path / "a", tmp_path / "b")
    assert ran.code == 3
    assert "A has one relayer; B has capacity, soak" in ran.error


def test_help_names_presets_and_defaults() -> None:
    ran = run_command("bench", "--help")
    assert ran.code == 0
    for word in ("quick", "committed", "soak", "--slice-seconds", "[standard: 60,000]", "compare"):
        assert word in " ".join(ran.out.split())


def test_a_rate_of_zero_is_no_open_loop() -> None:
    assert changes({"rate": (0,)}) == {"rates": ()}


def test_only_what_is_given_changes_anything() -> None:
    assert changes({"rate": (), "keys": None, "order": None, "proofs": None}) == {}
    assert changes({"rate": (5,), "keys": 0, "order": "best-effort", "proofs": "mixed"}) == {
        "rates": (5,),
        "keys": 0,
        "order": Order.BEST_EFFORT,
        "proofs": Proofs.MIXED,
    }
