"""Transcripts of a page: commands as an operator types them, and what they print.

In what is printed, ``…`` stands for anything within a line, and alone for any lines. Widths of
columns do not count. A command that changes nothing is typed again until it prints what the page
shows, for processes need their time; others are typed once.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
WITHIN_S: Final = 90
AGAIN_EVERY_S: Final = 0.3
_CHANGES: Final = frozenset(
    {"send", "retry", "recover", "freeze", "misbehave", "open", "resume", "pause", "up", "register"}
)
_ANY: Final = "…"


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a transcript."""

    command: str
    printed: tuple[str, ...]
    """Lines, as the page shows them."""

    @property
    def is_typed_once(self) -> bool:
        """Whether it changes something."""
        return bool(_CHANGES & set(self.command.split()[:3]))


def transcripts(page: str) -> dict[str, list[Step]]:
    """The steps of each section of *page*, by its title."""
    found: dict[str, list[Step]] = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        blocks = re.findall(r"^```console\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
        steps = [step for block in blocks for step in _steps(block)]
        if steps:
            found[title] = steps
    return found


def missing(printed: tuple[str, ...], output: str) -> str:
    """The first of the *printed* lines that *output* does not have in its place; empty if none."""
    lines = [_plain(line) for line in output.splitlines()]
    at = 0
    for expected in printed:
        if expected.strip() == _ANY:
            continue
        pattern = re.compile(".*".join(map(re.escape, _plain(expected).split(_ANY))))
        found = [n for n, line in enumerate(lines[at:], at) if pattern.fullmatch(line)]
        if not found:
            return expected
        at = found[0] + 1
    return ""


def follow(steps: list[Step], directory: Path) -> None:
    """Every step prints in *directory* what the page shows."""
    for step in steps:
        deadline = time.monotonic() + WITHIN_S  # noqa: TID251 - processes set no event
        while True:
            output = _type(step.command, directory)
            lacks = missing(step.printed, output)
            if not lacks:
                break
            if step.is_typed_once or time.monotonic() > deadline:  # noqa: TID251 - likewise
                raise AssertionError(f"$ {step.command}\nlacks: {lacks}\nprinted:\n{output}")
            time.sleep(AGAIN_EVERY_S)


def _steps(block: str) -> list[Step]:
    steps: list[Step] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append(Step(line.removeprefix("$ "), ()))
        elif line.strip():
            steps[-1] = Step(steps[-1].command, (*steps[-1].printed, line))
    return steps


def _plain(line: str) -> str:
    """*line* with single spaces; chains number their clients in the order in which they were asked
    for, so any number is as good."""
    return re.sub(r"07-tendermint-[0-9]+", "07-tendermint-0", " ".join(line.split()))


def _type(command: str, directory: Path) -> str:
    """What *command* prints, to both of its outputs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-uo", "pipefail", "-c", command],
        cwd=directory,
        env={**os.environ, "PATH": path, "PYTHONPATH": f"{ROOT}:{ROOT / 'protos/gen'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    return done.stdout
