"""``python -m tests.bench``: packets a second, latency, CPU a packet, memory.

Exits with 0 when every packet that was sent is complete and no invariant of the registry is broken,
1 when not, 2 when the run could not be finished. Timing never decides.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.bench.options import parse
from tests.bench.report import comparison, text
from tests.bench.run import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.result import Result

GOOD, BROKEN, UNFINISHED = 0, 1, 2
RESULTS: Final = Path(__file__).parent.parent.parent / "results"


def main(arguments: Sequence[str]) -> int:
    options, compared = parse(arguments)
    if compared is not None:
        first, second = [json.loads(Path(file).read_text(encoding="utf-8")) for file in compared]
        print(comparison(first, second))
        return GOOD
    try:
        result = asyncio.run(run(options, _say))
    except KeyboardInterrupt:
        print("unfinished: interrupted", file=sys.stderr)
        return UNFINISHED
    except (RuntimeError, OSError, EOFError, TimeoutError) as error:
        print(f"unfinished: {error}", file=sys.stderr)
        return UNFINISHED
    file = _file(options.json, result)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result.as_json(), indent=1) + "\n", encoding="utf-8")
    print(text(result))
    print(f"written to {file}")
    return BROKEN if result.problems else GOOD


def _file(given: str, result: Result) -> Path:
    return Path(given) if given else RESULTS / f"bench-{result.made_at.replace(':', '')}.json"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
