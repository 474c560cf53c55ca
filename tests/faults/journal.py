"""Results as lines of JSON: every trial is kept as soon as it is over, whoever ran it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tests.faults.trial import Result

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Journal:
    """The file of one run; several processes may append to it at once."""

    file: Path

    def begin(self) -> None:
        """The file is there, and empty."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text("", encoding="utf-8")

    def append(self, result: Result) -> None:
        """*result* is the last line, whole."""
        line = json.dumps(asdict(result), ensure_ascii=False) + "\n"
        descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def results(self) -> list[Result]:
        """Every result so far; a line that was cut is none."""
        found: list[Result] = []
        if not self.file.exists():
            return found
        for line in self.file.read_text(encoding="utf-8").splitlines():
            try:
                found.append(Result(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return found

    def newest(self) -> dict[str, Result]:
        """The last result of each trial."""
        return {result.key: result for result in self.results()}
