"""The table of a run of faults, as a user reads it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.faults.trial import Result

HEAD: Final = (
    "fault",
    "runs",
    "fired",
    "sent",
    "executed",
    "refunded",
    "lost",
    "doubled",
    "broken",
    "failed",
    "p50 (ms)",
    "max (ms)",
)


def table(results: Iterable[Result]) -> str:
    """One line for each fault, one for each kind, and one for all of them."""
    by_kind: defaultdict[str, defaultdict[str, list[Result]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for result in results:
        by_kind[result.kind][result.fault].append(result)
    rows: list[tuple[str, ...]] = [HEAD]
    for kind, faults in by_kind.items():
        rows += [_row(fault, ones) for fault, ones in sorted(faults.items())]
        rows.append(_row(f"= {kind}", [one for ones in faults.values() for one in ones]))
    every = [one for faults in by_kind.values() for ones in faults.values() for one in ones]
    rows.append(_row("= all", every))
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEAD))]
    return "\n".join(_line(row, widths) for row in rows)


def failures(results: Iterable[Result]) -> list[str]:
    """What went wrong, one for each trial; empty where nothing did."""
    return [
        f"{one.key}: {one.problem or 'not fired, or lost, doubled or broken'}"
        for one in results
        if not one.holds
    ]


def missing(results: Iterable[Result], planned: Iterable[str]) -> list[str]:
    """Trials that were planned, and have no result."""
    done = {one.key for one in results}
    return [key for key in planned if key not in done]


def _row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    times = sorted(one.recovery_ms for one in results if one.holds)
    counts = (
        len(results),
        sum(one.fired for one in results),
        sum(one.sent for one in results),
        sum(one.executed for one in results),
        sum(one.refunded for one in results),
        sum(one.lost for one in results),
        sum(one.doubled for one in results),
        sum(one.broken for one in results),
        sum(not one.holds for one in results),
    )
    middle = str(times[len(times) // 2]) if times else "-"
    return (name, *map(str, counts), middle, str(times[-1]) if times else "-")


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = row
    right = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
    return "  ".join([name.ljust(widths[0]), *right])
