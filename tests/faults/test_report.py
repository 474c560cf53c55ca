from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.faults import __main__ as program
from tests.faults import campaigns
from tests.faults.campaigns import Campaign
from tests.faults.journal import Journal
from tests.faults.plan import BATCH, KINDS, Options, batches, planned
from tests.faults.report import failures, missing, table
from tests.faults.trial import Result, Trial

if TYPE_CHECKING:
    from pathlib import Path

GOOD = Result(kind="kills", fault="relayer", run=1, fired=True, recovery_ms=9, sent=4, executed=4)
BAD = [
    replace(GOOD, run=2, fired=False),
    replace(GOOD, run=3, lost=1),
    replace(GOOD, run=4, doubled=1),
    replace(GOOD, run=5, broken=1),
    replace(GOOD, run=6, problem="waited for a packet"),
]
QUICK = ["--runs", "1", "--kinds", "fencing", "--fencing", "1", "--campaigns", ""]


def test_every_bad_result_is_a_failure_and_no_good_one() -> None:
    assert failures([GOOD]) == []
    assert [line.split(":")[0] for line in failures([GOOD, *BAD])] == [one.key for one in BAD]


def test_a_table_has_a_line_for_each_fault_kind_and_all() -> None:
    other = replace(GOOD, kind="pairs", fault="two", recovery_ms=20)
    lines = table([GOOD, replace(GOOD, run=2, recovery_ms=5), other, BAD[1]]).splitlines()
    names = [line[:7].strip() for line in lines]
    assert names == ["fault", "relayer", "= kills", "two", "= pairs", "= all"]
    assert lines[1].split()[1:] == ["3", "3", "12", "12", "0", "1", "0", "0", "1", "9", "9"]
    assert lines[-1].split()[2:4] == ["4", "4"]


def test_what_was_planned_and_has_no_result_is_missing() -> None:
    assert missing([GOOD], [GOOD.key, "kills/relayer/2"]) == ["kills/relayer/2"]


def test_a_journal_keeps_the_last_result_of_each_trial_and_no_half_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "results" / "faults.jsonl")
    assert journal.results() == []
    journal.begin()
    journal.append(BAD[0])
    journal.append(replace(GOOD, run=2))
    with journal.file.open("a") as file:
        file.write('{"kind": "kills", "fau')
    assert journal.newest() == {"kills/relayer/2": replace(GOOD, run=2)}
    journal.begin()
    assert journal.results() == []


def test_the_same_options_plan_the_same_trials_of_the_committed_counts() -> None:
    options = Options()
    trials = planned(options)
    keys = [trial.key for trial in trials]
    assert keys == [trial.key for trial in planned(options)]
    counts = {kind: sum(trial.kind == kind for trial in trials) for kind in KINDS}
    assert (counts["pairs"], counts["fencing"], counts["postgres"]) == (100, 20, 50)
    by_fault = {trial.fault for trial in trials if trial.kind == "kills"}
    assert counts["kills"] == 20 * len(by_fault)
    assert min(counts.values()) >= 3
    assert len(set(keys)) == len(keys)


def test_batches_hold_every_trial_once_and_are_of_one_kind_and_ground() -> None:
    trials = planned(Options(seed=7))
    found = batches(trials, 7)
    assert sorted(t.key for batch in found for t in batch) == sorted(t.key for t in trials)
    for batch in found:
        assert len(batch) <= BATCH
        assert len({(trial.kind, trial.ground) for trial in batch}) == 1


@pytest.mark.parametrize("result", [GOOD, *BAD])
def test_a_run_ends_with_one_where_anything_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: Result
) -> None:
    def strike(work: object, trials: list[object], jobs: int) -> None:
        for trial in planned(Options(kinds=("fencing",), fencing=1)):
            journal.append(replace(result, kind=trial.kind, fault=trial.fault, run=trial.run))

    journal = Journal(tmp_path / "faults.jsonl")
    monkeypatch.setattr(program, "run", strike)
    status = program.main([*QUICK, "--journal", str(journal.file)])
    assert status == (0 if result == GOOD else 1)


@pytest.mark.parametrize(("module", "holds"), [("tests.faults.nowhere", 0), ("this", 1)])
def test_a_campaign_counts_by_how_it_ends(
    monkeypatch: pytest.MonkeyPatch, module: str, holds: int
) -> None:
    made = {"one": Campaign("a campaign", module, ())}
    monkeypatch.setattr(campaigns, "CAMPAIGNS", made)
    result = campaigns.carry_out("one")
    assert (result.key, result.holds) == (made["one"].key, bool(holds))


def test_a_run_with_a_trial_that_never_ran_ends_with_one_and_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(program, "run", lambda work, trials, jobs: asked.append(len(trials)))
    arguments = [*QUICK, "--fencing", "2", "--journal", str(tmp_path / "faults.jsonl")]
    assert program.main(arguments) == 1
    assert "2 trials are missing" in capsys.readouterr().out
    for trial in planned(Options(kinds=("fencing",), fencing=2))[:1]:
        done = replace(GOOD, kind=trial.kind, fault=trial.fault, run=trial.run)
        Journal(tmp_path / "faults.jsonl").append(done)
    assert program.main([*arguments, "--resume"]) == 1
    assert asked == [2, 1]


def test_a_failure_stays_until_it_is_asked_to_be_tried_again_and_is_told_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def strike(work: object, trials: list[Trial], jobs: int) -> None:
        asked.append(len(trials))
        for trial in trials:
            journal.append(replace(GOOD, kind=trial.kind, fault=trial.fault, run=trial.run))

    asked: list[int] = []
    journal = Journal(tmp_path / "faults.jsonl")
    monkeypatch.setattr(program, "run", strike)
    [trial] = planned(Options(kinds=("fencing",), fencing=1))
    journal.append(replace(BAD[1], kind=trial.kind, fault=trial.fault, run=trial.run))
    arguments = [*QUICK, "--journal", str(journal.file)]
    assert program.main([*arguments, "--resume"]) == 1
    assert program.main([*arguments, "--retry"]) == 0
    assert asked == [0, 1]
    assert "1 failures were tried again" in capsys.readouterr().out
