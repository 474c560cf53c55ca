"""``python -m tests.vectors DIR``: one JSON line for each case under DIR.

Exits with 0 when every answer is the stated one, 1 when one differs, 2 when there is nothing to
answer.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.vectors.run import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vectors.run import Run

SAME, DIFFERENT, NOTHING = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tests.vectors DIR", file=sys.stderr)
        return NOTHING
    root = Path(arguments[0])
    if not root.is_dir():
        print(f"{root} is no folder", file=sys.stderr)
        return NOTHING
    found = run(root)
    for answer in found.answers:
        print(json.dumps(answer.row, ensure_ascii=False))
    sys.stdout.flush()
    for line in summary(found):
        print(line, file=sys.stderr)
    if not found.answers:
        print(f"no vectors under {root}", file=sys.stderr)
        return NOTHING
    return DIFFERENT if found.differences else SAME


def summary(found: Run) -> list[str]:
    """What a person wants to know of a run: what differs, what is not built, the counts."""
    lines = [
        f"DIFFERS {answer.path.as_posix()} [{answer.case}]: expected {answer.expected},"
        f" got {answer.got}" + (f" ({answer.detail})" if answer.detail else "")
        for answer in found.differences
    ]
    lines += [f"not built yet, not counted: {name}" for name in found.not_built]
    cases = Counter(answer.family for answer in found.answers)
    wrong = Counter(answer.family for answer in found.differences)
    unstated = Counter(answer.family for answer in found.answers if answer.expected is None)
    for family, count in cases.items():
        note = f", {unstated[family]} without a stated verdict" if unstated[family] else ""
        lines.append(f"{family}: {count} cases, {wrong[family]} differences{note}")
    lines.append(f"all: {cases.total()} cases, {wrong.total()} differences")
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
