"""The Makefile runs every suite that stands, and tells what it can do."""

from __future__ import annotations

import re
import subprocess

from tests.harness.source_tree import ROOT, tracked_files

PROMISED = {
    "help", "demo", "test", "check", "vectors", "bench", "dev", "fuzz", "fuzz-full", "fmt", "lint",
    "types", "contracts", "protos", "migrations", "docs", "lock", "clean",
}  # fmt: skip


def commands(target: str) -> str:
    """What ``make target`` would run, the environment taken as made."""
    run = subprocess.run(
        ["make", "--dry-run", "--assume-old=.venv/.ready", target],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return run.stdout


def suites() -> set[str]:
    """Every directory of tests that holds test files."""
    tests = ROOT / "tests"
    return {path.relative_to(tests).parts[0] for path in tests.glob("*/**/test_*.py")}


def test_every_suite_is_run_by_check() -> None:
    run = commands("check")
    assert [s for s in sorted(suites()) if f"tests/{s}" not in run] == []


def test_help_names_every_target() -> None:
    listed = subprocess.run(
        ["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    declared = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [line.split()[0] for line in listed.splitlines()] == declared
    assert set(declared) >= PROMISED


def test_every_target_is_phony() -> None:
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def test_ci_is_check() -> None:
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "exec make check"


def test_every_directory_of_code_is_typed() -> None:
    typed = commands("types").split()
    code = [path for path in tracked_files() if path.suffix == ".py" and path.parts[0] != "protos"]
    assert {path.parts[0] for path in code} <= set(typed)
