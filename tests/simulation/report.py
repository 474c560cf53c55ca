"""What a user reads of runs, walks and searches: a table, and how to see a failure again."""

from __future__ import annotations

import subprocess
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.run import Verdict
    from tests.simulation.search import Found

EVERY_KIND_FROM = 300
"""Runs, from which on every kind of fault must have happened."""


def commit() -> str:
    """The commit that runs, as far as git knows it."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], check=False, capture_output=True, text=True
    )
    return found.stdout.strip() or "unknown"


def of_runs(verdicts: Sequence[Verdict], kinds: Sequence[str], took_s: float) -> list[str]:
    """What all runs came to."""
    faults: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for verdict in verdicts:
        faults.update(verdict.faults)
        counts.update(verdict.counts)
    packets = sum(verdict.packets for verdict in verdicts)
    steps = sum(verdict.steps for verdict in verdicts)
    seconds = sum(verdict.seconds for verdict in verdicts)
    happened = f"{packets} packets, {sum(faults.values())} faults, {steps} steps"
    lines = [
        f"{len(verdicts)} runs, {happened}: {seconds} s of their time, {took_s:.0f} s of ours",
        *[f"  {faults[kind]:>7}  {kind}" for kind in kinds],
        "  checked: " + ", ".join([f"{count} {name}" for name, count in sorted(counts.items())]),
    ]
    for verdict in verdicts:
        if verdict.promise:
            lines += [
                f"BROKEN  seed {verdict.seed} at commit {commit()}: {verdict.detail[:2000]}",
                f"  again: python -m tests.simulation --seed {verdict.seed} --trace",
            ]
    missing = [kind for kind in kinds if not faults[kind]]
    if missing and len(verdicts) >= EVERY_KIND_FROM:
        lines.append(f"BROKEN  these faults never happened: {missing}")
    return lines


def of_search(found: Found) -> list[str]:
    """What one search came to."""
    size = f"{found.states:>8} states {found.moves:>9} moves {found.deepest:>4} deep"
    took = f"{found.ends:>5} ends {found.took_ms / 1000:>7.1f} s"
    lines = [f"{found.scope.name:<46} {size} {took}"]
    if found.broken is not None:
        lines.append(f"BROKEN  {found.broken}")
        lines += [f"  {move}" for move in found.path]
    return lines
