"""``EXPECTED.jsonl``: the verdicts that a folder of vectors states for its files.

A row has the keys of what is printed: ``file``, ``case``, ``expected``, and ``family`` where it
helps. ``file`` may be told from the folder of the row, from the root, from the family's folder, or
by its last parts; without ``case`` a row is for every case of its file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from tests.vectors.cases import ACCEPT, REJECT, Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FILE_NAME: Final = "EXPECTED.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stated verdict."""

    folder: Path
    """Of the row's own file, from the root."""
    line: int
    family: str
    file: str
    case: str | None
    expected: str


def read_rows(root: Path) -> tuple[list[Row], list[Answer]]:
    """Every row under *root*, and one answer for each line that is none."""
    rows: list[Row] = []
    bad: list[Answer] = []
    for path in sorted(root.rglob(FILE_NAME)):
        folder = path.parent.relative_to(root)
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if not line.strip():
                continue
            try:
                rows.append(_row(folder, number, json.loads(line)))
            except (ValueError, LookupError, TypeError, RecursionError) as error:
                bad.append(
                    Answer(
                        family=_family_of(folder),
                        path=path.relative_to(root),
                        case=f"line {number}",
                        expected="a row",
                        got=f"error: {type(error).__name__}: {error}",
                    )
                )
    return rows, bad


def applied(rows: Iterable[Row], answers: Sequence[Answer], files: Sequence[Path]) -> list[Answer]:
    """*answers* with the verdicts that *rows* state; a row without a case is an answer itself."""
    out = list(answers)
    places: dict[Path, list[int]] = {}
    for place, answer in enumerate(out):
        places.setdefault(answer.path, []).append(place)
    for row in rows:
        path = file_of(row, files)
        found = _cases_of(row, [out[place] for place in places.get(path, [])]) if path else []
        for at in found:
            place = places[path][at]  # type: ignore[index]
            out[place] = replace(out[place], expected=row.expected)
        if not found:
            out.append(
                Answer(
                    family=row.family or _family_of(row.folder),
                    path=path or Path(row.file),
                    case=row.case or "",
                    expected=row.expected,
                    got="error: no such case" if path else "error: no such file",
                    detail=f"{(row.folder / FILE_NAME).as_posix()} line {row.line}",
                )
            )
    return out


def _row(folder: Path, line: int, content: object) -> Row:
    if not isinstance(content, dict):
        raise TypeError("is no row")
    case = content.get("case")
    expected = content["expected"]
    if isinstance(expected, bool):
        expected = ACCEPT if expected else REJECT
    if not isinstance(expected, str):
        raise TypeError("expected is no verdict")
    return Row(
        folder=folder,
        line=line,
        family=str(content.get("family") or ""),
        file=str(content["file"]),
        case=None if case is None else str(case),
        expected=expected,
    )


def file_of(row: Row, files: Sequence[Path]) -> Path | None:
    """The one file that *row* means, from the root; None if there is none, or more than one."""
    known = set(files)
    told = PurePosixPath(row.file)
    for start in (row.folder, Path(), Path(row.family)):
        if start / told in known:
            return start / told
    parts = told.parts
    tails = [path for path in files if path.parts[-len(parts) :] == parts]
    for near in (
        [path for path in tails if path.is_relative_to(row.folder)],
        [path for path in tails if path.is_relative_to(row.family)],
        tails,
    ):
        if len(near) == 1:
            return near[0]
    return None


def _cases_of(row: Row, answers: Sequence[Answer]) -> list[int]:
    """Which of a file's *answers* the row is for: by their name, else by any of their names."""
    everything = list(range(len(answers)))
    if row.case is None or len(answers) == 1:
        return everything
    exact = [at for at in everything if answers[at].case == row.case]
    return exact or [at for at in everything if answers[at].is_named(row.case)]


def _family_of(folder: Path) -> str:
    return folder.parts[0] if folder.parts else ""
