"""Every command that the README shows runs, in the order of the page, in one empty directory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from hub.cli.main import ydhub

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TIMEOUT_S = 120


def console_commands(page: str) -> list[str]:
    """The commands of *page*'s console blocks, without their prompt."""
    blocks = re.findall(r"^```console\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines), "a console block holds commands alone"
    return [line.removeprefix("$ ") for line in lines]


def run(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """*command* as a reader would type it, with the environment's programs on the path."""
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture
def directory() -> Iterator[Path]:
    """An empty directory that others may pass through: pytest closes its own for other users."""
    with TemporaryDirectory(prefix="ydhub-docs-") as made:
        yield Path(made)


@pytest.mark.timeout(600)
def test_every_command_of_the_readme_runs(directory: Path) -> None:
    commands = console_commands(README)
    assert commands[0] == "ydhub dev up"
    assert commands[-1] == "ydhub dev down"
    try:
        for command in commands:
            done = run(command, directory)
            assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    finally:
        run("ydhub dev down", directory)


def test_the_readme_begins_with_its_two_commands() -> None:
    top = README[: README.index("## ")]
    assert "make demo" in top
    assert "make test" in top


def test_every_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert named <= targets


def test_every_file_that_the_pages_link_to_exists() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("deploy/**/*.md")):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(
    "command",
    ["dev", "peer", "client", "lane", "route", "packet", "cert", "proof", "status", "bench"],
)
def test_every_group_has_help(command: str) -> None:
    done = CliRunner().invoke(ydhub, [command, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


def test_every_command_of_the_runbooks_is_one() -> None:
    named: set[str] = set()
    for page in ROOT.glob("deploy/runbooks/*.md"):
        text = page.read_text(encoding="utf-8")
        named.update(re.findall(r"\bydhub ([a-z]+ [a-z]+(?:-[a-z]+)*)\b", text))
    assert len(named) > 5
    for command in sorted(named):
        # In this process: dozens of programs would take minutes to start.
        done = CliRunner().invoke(ydhub, [*command.split(), "--help"])
        assert done.exit_code == 0, f"ydhub {command}: {done.output}"
