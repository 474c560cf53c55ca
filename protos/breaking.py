"""Whether the contract still serves every client of its base: ``python protos/breaking.py``.

The base is what the working tree is about to join: the merge base with the main branch, or, when
nothing lies between the two, the commit before. ``YDHUB_PROTOS_BASE`` names another commit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAIN = "origin/main"


def base_commit(root: Path) -> str | None:
    """The commit to compare the contract in *root* with; None in a history of one commit.

    Raises ``LookupError`` if the environment names a commit that does not exist.
    """
    if named := os.environ.get("YDHUB_PROTOS_BASE"):
        if commit := _git(root, "rev-parse", "--verify", f"{named}^{{commit}}"):
            return commit
        raise LookupError(f"YDHUB_PROTOS_BASE names no commit: {named}")
    head = _git(root, "rev-parse", "HEAD")
    base = _git(root, "merge-base", "HEAD", MAIN) or head
    changed = _git(root, "status", "--porcelain", "--", "protos/*.proto")
    if base == head and not changed:
        return _git(root, "rev-parse", "--verify", "HEAD~1")
    return base


def has_contract(root: Path, commit: str) -> bool:
    """*commit* holds a contract that buf can read."""
    return _git(root, "cat-file", "-t", f"{commit}:protos/buf.yaml") == "blob"


def compare(root: Path, commit: str) -> int:
    """0 if nothing that clients of *commit* rely on has changed, else the exit code of buf."""
    with tempfile.TemporaryDirectory() as base:
        archive = subprocess.run(
            ["git", "archive", commit, "protos"], cwd=root, check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", base], input=archive.stdout, check=True)
        buf = Path(sys.executable).parent / "buf"
        against = Path(base) / "protos"
        command = [str(buf), "breaking", str(root / "protos"), "--against", str(against)]
        return subprocess.run(command, check=False).returncode


def _git(root: Path, *arguments: str) -> str | None:
    """What git prints, or None if it fails."""
    run = subprocess.run(["git", *arguments], cwd=root, check=False, capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 else None


def main() -> int:
    """Compare, and say in one line with what."""
    commit = base_commit(ROOT)
    if commit is None or not has_contract(ROOT, commit):
        print(f"buf breaking: no contract at the base ({commit or 'no commit before'})")
        return 0
    print(f"buf breaking: against {commit[:12]}")
    return compare(ROOT, commit)


if __name__ == "__main__":
    sys.exit(main())
