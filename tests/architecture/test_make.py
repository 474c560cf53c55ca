"""The Makefile runs every suite that stands, and tells what it can do."""

from __future__ import annotations

import os
import re
import subprocess

from tests.harness.source_tree import ROOT, tracked_files

PROMISED = {
    "help", "demo", "test", "check", "vectors", "bench", "dev", "fuzz", "fuzz-full", "fmt", "lint",
    "types", "contracts", "protos", "migrations", "docs", "lock", "clean", "chains",
}  # fmt: skip


def make(*arguments: str) -> str:
    """What make prints, also where make itself runs this test."""
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFL"))
    }
    run = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=own, check=True, capture_output=True, text=True
    )
    return run.stdout


def commands(target: str) -> str:
    """What ``make target`` would run, the environment taken as made."""
    return make("--dry-run", "--assume-old=.venv/.ready", target)


def suites() -> set[str]:
    """Every directory of tests that holds test files."""
    tests = ROOT / "tests"
    return {path.relative_to(tests).parts[0] for path in tests.glob("*/**/test_*.py")}


def test_every_suite_is_run_by_check() -> None:
    run = commands("check")
    assert [s for s in sorted(suites()) if f"tests/{s}" not in run] == []


def test_help_names_every_target() -> None:
    listed = make("help")
    declared = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [line.split()[0] for line in listed.splitlines()] == declared
    assert set(declared) >= PROMISED


def test_every_target_is_phony() -> None:
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(re.findall(r"^([a-z0-9-]+):", text, re.MULTILINE))


def test_ci_is_check() -> None:
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == "exec make check"


def test_every_directory_of_code_is_typed() -> None:
    typed = commands("types").split()
    code = [path for path in tracked_files() if path.suffix == ".py" and path.parts[0] != "protos"]
    assert {path.parts[0] for path in code} <= set(typed)
