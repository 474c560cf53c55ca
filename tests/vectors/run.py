"""All the cases under a folder, answered.

The folder has the layout of the published vectors: one folder for each family, ``live`` with one
for each recorded network. A folder that is itself a family is read as one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.vectors import expected
from tests.vectors.cases import Answer, NotBuilt, asked
from tests.vectors.families import cosmos_ibc_v2, ibc, ics23, own, rfc6962, signatures, tendermint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.vectors.cases import Question

FAMILIES: Final[dict[str, Callable[[Any, Path], Iterator[Question]]]] = {
    "tendermint": tendermint.questions,
    "ics23": ics23.questions,
    "ibc": ibc.questions,
    "rfc6962": rfc6962.questions,
    "signatures": signatures.questions,
    "live/cosmos_ibc_v2": cosmos_ibc_v2.questions,
    "own": own.questions,
}
_GROUPS: Final = frozenset({"live"})
"""Folders whose children are families."""


@dataclass
class Run:
    """What a run found."""

    answers: list[Answer] = field(default_factory=list)
    not_built: list[str] = field(default_factory=list)
    """Families and formats that nothing here verifies yet, each once."""
    left_out: set[Path] = field(default_factory=set)
    """Folders and files of those, from the root."""

    @property
    def differences(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.differs]

    def leave_out(self, name: str, path: Path) -> None:
        """*name* is not built, and what is in *path* not counted."""
        self.left_out.add(path)
        if name not in self.not_built:
            self.not_built.append(name)


def run(root: Path) -> Run:
    """Every case under *root*, held against what the files and their ``EXPECTED.jsonl`` state."""
    out = Run()
    files: list[Path] = []
    for family, path in _files(root, out):
        files.append(path.relative_to(root))
        out.answers += _answers(family, path, root, out)
    rows, bad = expected.read_rows(root)
    built = [row for row in rows if not _is_left_out(row, files, out)]
    out.answers = expected.applied(built, out.answers, files) + bad
    return out


def _files(root: Path, out: Run) -> Iterator[tuple[str, Path]]:
    """The JSON files of the families that are built, by family."""
    for name, folder in _folders(root):
        if name not in FAMILIES:
            out.leave_out(name, folder.relative_to(root))
            continue
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix == ".json":
                yield name, path


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    if _family_itself(root):
        yield _family_itself(root), root
        return
    for child in sorted(root.iterdir()):
        if child.is_dir() and child.name in _GROUPS:
            for part in sorted(child.iterdir()):
                if part.is_dir() or part.suffix == ".json":
                    yield f"{child.name}/{part.name}", part
        elif child.is_dir():
            yield child.name, child


def _family_itself(root: Path) -> str:
    """The family that *root* is the folder of, or nothing."""
    names = (root.name, f"{root.parent.name}/{root.name}")
    return next((name for name in names if name in FAMILIES), "")


def _answers(family: str, path: Path, root: Path, out: Run) -> Iterator[Answer]:
    """The answers of one file; one that says "error" if it does not have its format."""
    place = path.relative_to(root)
    try:
        content = json.loads(path.read_bytes())
        for question in FAMILIES[family](content, path):
            got, detail = asked(question)
            yield Answer(
                family=family,
                path=place,
                case=question.case,
                expected=question.expected,
                got=got,
                detail=detail,
                also=question.also,
            )
    except NotBuilt as error:
        out.leave_out(f"{family}: {error}", place)
    except Exception as error:  # noqa: BLE001 - a run never ends by what a file contains
        yield Answer(
            family=family,
            path=place,
            case="",
            expected="a vector file",
            got=f"error: {type(error).__name__}: {error}",
        )


def _is_left_out(row: expected.Row, files: Sequence[Path], out: Run) -> bool:
    """Whether *row* is for a family or a format that is not built."""
    if row.family in out.not_built:
        return True
    meant = expected.file_of(row, files)
    told = [meant] if meant else [row.folder / row.file, Path(row.file)]
    return any(path.is_relative_to(out_of) for path in told for out_of in out.left_out)
