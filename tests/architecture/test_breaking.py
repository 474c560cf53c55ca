"""protos/breaking.py refuses what breaks a client, wherever in a branch it stands."""

from __future__ import annotations

import subprocess
from runpy import run_path
from typing import TYPE_CHECKING

import pytest

from tests.harness.source_tree import ROOT

if TYPE_CHECKING:
    from pathlib import Path

BREAKING = run_path(str(ROOT / "protos/breaking.py"))
MESSAGE = 'syntax = "proto3";\npackage a.v1;\nmessage M {\n  string name = 1;\n}\n'
RENUMBERED = MESSAGE.replace("= 1;", "= 2;")
EXTENDED = MESSAGE.replace("= 1;\n", "= 1;\n  string owner = 2;\n")


@pytest.fixture(autouse=True)
def _no_base_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("YDHUB_PROTOS_BASE", raising=False)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A contract of one message, as the second commit."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    (tmp_path / "README.md").write_text("before the contract\n")
    commit(tmp_path)
    (tmp_path / "protos/a/v1").mkdir(parents=True)
    (tmp_path / "protos/buf.yaml").write_text((ROOT / "protos/buf.yaml").read_text())
    write(tmp_path, MESSAGE)
    commit(tmp_path)
    return tmp_path


def git(repository: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@localhost"]
    run = subprocess.run(
        ["git", *identity, *arguments], cwd=repository, check=True, capture_output=True, text=True
    )
    return run.stdout.strip()


def write(repository: Path, message: str) -> None:
    (repository / "protos/a/v1/a.proto").write_text(message)


def commit(repository: Path) -> str:
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "a change")
    return git(repository, "rev-parse", "HEAD")


def verdict(repository: Path) -> int:
    base = BREAKING["base_commit"](repository)
    assert BREAKING["has_contract"](repository, base)
    return int(BREAKING["compare"](repository, base))


def is_refused(repository: Path, capfd: pytest.CaptureFixture[str]) -> bool:
    code = verdict(repository)
    return code != 0 and 'field "1" with name "name"' in capfd.readouterr().out


def test_a_renumbered_field_is_refused_before_it_is_committed(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(repository, RENUMBERED)
    assert is_refused(repository, capfd)


def test_a_renumbered_field_is_refused_as_the_last_commit(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(repository, RENUMBERED)
    commit(repository)
    assert is_refused(repository, capfd)


def test_a_renumbered_field_is_refused_below_later_commits_of_a_branch(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    git(repository, "update-ref", "refs/remotes/origin/main", "HEAD")
    write(repository, RENUMBERED)
    commit(repository)
    (repository / "README.md").write_text("another change\n")
    commit(repository)
    assert is_refused(repository, capfd)


def test_a_new_field_is_allowed(repository: Path) -> None:
    write(repository, EXTENDED)
    commit(repository)
    assert verdict(repository) == 0


def test_a_history_of_one_commit_has_no_base(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "README.md").write_text("the first\n")
    first = commit(tmp_path)
    assert BREAKING["base_commit"](tmp_path) is None
    assert not BREAKING["has_contract"](tmp_path, first)


def test_a_named_base_that_does_not_exist_is_an_error(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YDHUB_PROTOS_BASE", "no-such-commit")
    with pytest.raises(LookupError):
        BREAKING["base_commit"](repository)
