"""Runs of the whole exchange from their seeds: no promise is broken, and each can be repeated."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.harness.source_tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

SEEDS_AT_ONCE = 20


def simulate(*arguments: str) -> str:
    """What the command prints; it must find nothing broken."""
    found = asked(arguments)
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-4000:]
    return found.stdout


def asked(
    arguments: Sequence[str], hash_seed: str | None = None
) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "protos" / "gen")])
    environment = {**os.environ, "PYTHONPATH": path}
    if hash_seed is not None:
        environment["PYTHONHASHSEED"] = hash_seed
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--workers", "1", *arguments],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
    )


@pytest.mark.parametrize("first", range(0, 6 * SEEDS_AT_ONCE, SEEDS_AT_ONCE))
def test_no_promise_is_broken_in_a_run(first: int) -> None:
    said = simulate("--seeds", str(SEEDS_AT_ONCE), "--from", str(first))
    assert f"{SEEDS_AT_ONCE} runs" in said


@pytest.mark.parametrize("seed", [7, 29])
def test_a_seed_is_the_same_run_to_the_byte(seed: int) -> None:
    first, second = [asked(("--seed", str(seed), "--trace"), hash_seed) for hash_seed in "12"]
    assert first.returncode == 0
    assert first.stdout == second.stdout
    assert first.stdout.count("\n") > 100


def test_a_run_is_the_same_alone_as_after_others() -> None:
    from tests.simulation.run import run

    alone = run(3)
    for seed in (4, 5):
        run(seed)
    again = run(3)
    assert (again.digest, again.steps, again.counts) == (alone.digest, alone.steps, alone.counts)


def test_a_broken_promise_names_its_seed_and_how_to_see_it_again() -> None:
    found = asked(("--seed", "0", "--planted", "cursor ahead of the registry"))
    assert found.returncode == 1
    assert "BROKEN  seed 0 at commit " in found.stdout
    assert "python -m tests.simulation --seed 0 --trace" in found.stdout
