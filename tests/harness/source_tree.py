"""The project as files: what the architecture tests read."""

from __future__ import annotations

import ast
import importlib
import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("hub", "relayer", "adapters")


def python_files(*tops: str) -> list[Path]:
    """Every hand-written .py file below *tops*, relative to the root, sorted."""
    found = (path for top in tops for path in (ROOT / top).rglob("*.py"))
    generated = ROOT / "protos" / "gen"
    return sorted(p.relative_to(ROOT) for p in found if generated not in p.parents)


def tracked_files() -> list[Path]:
    """Every file that git tracks and that still stands, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = (Path(name) for name in listed.stdout.split("\0") if name)
    return sorted(path for path in paths if (ROOT / path).is_file())


def tree_of(path: Path) -> ast.Module:
    """The syntax tree of *path*, relative to the root."""
    return ast.parse((ROOT / path).read_text(), filename=str(path))


def pyproject() -> dict[str, Any]:
    """The project's one file of settings."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def import_everything() -> None:
    """Every module of the packages is loaded; programs are left out."""
    for path in python_files(*PACKAGES):
        if path.stem != "__main__":
            importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
