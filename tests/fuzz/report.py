"""The table of a run: how often each operator led to each reason."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.engine import Tally, Target


def table(target: Target, tally: Tally) -> list[str]:
    """Reasons with their counts, then operators with theirs and the reasons each led to."""
    by_reason: Counter[str] = Counter()
    by_operator: dict[str, Counter[str]] = {one.name: Counter() for one in target.operators}
    for (operator, verdict), count in tally.counts.items():
        by_reason[verdict] += count
        by_operator[operator][verdict] += count
    width = max(map(len, [*by_reason, *by_operator]))
    share = tally.structural * 100 // max(tally.total, 1)
    rate = tally.total / max(tally.seconds, 1e-9)
    lines = [
        f"{target.name}: {tally.total:,} mutations, {share} % structural",
        f"  {tally.same:,} more said what a valid object says, and are not counted",
        f"  {rate:,.0f} a second of CPU, slowest {tally.slowest * 1000:.1f} ms",
        f"  memory +{tally.growth / (1 << 20):.1f} MiB",
        "  by reason",
    ]
    lines += [f"    {reason:<{width}} {count:>12,}" for reason, count in by_reason.most_common()]
    lines.append("  by operator")
    for operator, counts in by_operator.items():
        lines.append(f"    {operator:<{width}} {counts.total():>12,}")
        lines += [f"      {reason:<{width}} {n:>12,}" for reason, n in counts.most_common()]
    return lines
