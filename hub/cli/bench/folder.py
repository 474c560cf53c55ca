"""A result's own folder: the numbers for programs, the text and the picture for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hub.cli.bench.plot import draw
from hub.cli.bench.report import text
from hub.core.errors import FieldInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from hub.cli.bench.result import Result


def make_folder(results: Path, made_at: str, name: str) -> Path:
    """A new folder in *results*, named by date and *name*. Raises ``FieldInvalid``."""
    folder = results / f"{made_at.replace(':', '')}-{name.replace(' ', '-')}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        problem = f"cannot be made: {error.strerror}"
        raise FieldInvalid(field=str(folder), problem=problem) from error
    return folder


def save(folder: Path, result: Result) -> None:
    """*folder* holds *result*, in place of what it held."""
    contents = {
        "result.json": json.dumps(result.as_json(), indent=1) + "\n",
        "table.txt": text(result) + "\n",
        "plot.svg": draw(result),
    }
    for name, content in contents.items():
        fresh = folder / f".{name}.new"
        fresh.write_text(content, encoding="utf-8")
        fresh.replace(folder / name)
