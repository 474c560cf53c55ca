"""``python -m tests.chains.cosmos.bench``: a backlog between two live chains, relayed.

Exits with 0 when every packet was acknowledged once and the supply is conserved, 1 when not. Timing
never decides.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Final

from tests.chains.cosmos.bench.report import figures, text
from tests.chains.cosmos.bench.run import run

RESULTS: Final = Path(__file__).parents[4] / "results"


def main() -> int:
    """Runs and reports."""
    parser = argparse.ArgumentParser(prog="bench-chains", description=__doc__)
    parser.add_argument("--packets", type=int, default=5000)
    parser.add_argument("--json", default="", help="default: a file under results/")
    options = parser.parse_args()
    try:
        outcome = asyncio.run(run(options.packets, _say))
    except AssertionError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    name = f"bench-chains-{outcome.made_at.replace(':', '')}.json"
    file = Path(options.json) if options.json else RESULTS / name
    file.parent.mkdir(parents=True, exist_ok=True)
    kept = {"figures": figures(outcome), **outcome.as_json()}
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print(text(outcome))
    print(f"written to {file}")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
