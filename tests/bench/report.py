"""Results as text: one run beside what is aimed at, or two runs beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.bench.result import PhaseResult, Result

ROUND: Final = "round"
"""What the names of closed-loop rounds begin with."""
_SKIPPED: Final = frozenset({"options", "violations", "phases"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number that design section 8 names."""

    name: str
    measured: float
    expected: str = ""
    """By the issue that the bench came with."""
    committed: str = ""
    """By design section 8."""


def rows(result: Result) -> list[Row]:
    """What was measured beside what is expected now, and what is committed."""
    found: list[Row] = []
    rounds = [phase for phase in result.phases if phase.name.startswith(ROUND)]
    processes = result.options["relayers"]
    if rounds:
        found += [
            Row(
                name=f"packets/s, {processes} relayer process{'es' * (processes > 1)}",
                measured=_median(rounds, lambda phase: phase.per_second),
                expected=">= 3,000",
                committed={1: "15,000", 2: "20,000"}.get(processes, ""),
            ),
            Row(
                name="CPU us a packet, relayer + Postgres",
                measured=_median(rounds, lambda phase: phase.cpu_us),
                expected="< 300",
                committed="< 75",
            ),
        ]
    for phase in result.phases:
        found += _latency_rows(phase)
    found.append(
        Row(
            name="memory of a relayer process, MB",
            measured=result.memory_mb["end"],
            committed="< 120",
        )
    )
    header = result.functions_us.get("header of 100 validators")
    if header is not None:
        found.append(
            Row(name="header of 100 validators, ms", measured=header / 1000, committed="< 10")
        )
    return found


def text(result: Result) -> str:
    """The whole run, for people."""
    lines = [
        f"made at   {result.made_at}, commit {result.commit}",
        f"machine   {result.machine}; load average {result.busy:.1f} before the run",
        f"command   {result.command}",
        f"load      {result.load}",
        "",
        *_table(_PHASE_TITLES, [_phase_cells(phase) for phase in result.phases]),
        "",
        *_table(
            ("", "measured", "expected here", "committed"),
            [
                (row.name, _number(row.measured), row.expected, row.committed)
                for row in rows(result)
            ],
        ),
        "",
        *_table(
            ("one call of", "CPU us"),
            [(name, _number(value)) for name, value in result.functions_us.items()],
        ),
        "",
        _memory(result),
        _checks(result),
    ]
    return "\n".join([*lines, *[f"FAILED: {problem}" for problem in result.problems]])


def comparison(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """Every number that both results hold, and how many times the first the second is."""
    before, after = dict(_numbers(first)), dict(_numbers(second))
    cells = [
        (name, _number(value), _number(after[name]), f"{after[name] / value:.2f}" if value else "")
        for name, value in before.items()
        if name in after
    ]
    lines = [
        f"A  {first['made_at']}, commit {first['commit']}: {first['command']}",
        f"B  {second['made_at']}, commit {second['commit']}: {second['command']}",
        "",
        *_table(("", "A", "B", "B / A"), cells),
    ]
    if first["machine"] != second["machine"]:
        lines += ["", f"A on {first['machine']}", f"B on {second['machine']}"]
    return "\n".join(lines)


def _memory(result: Result) -> str:
    memory = result.memory_mb
    return (
        f"memory of the relayer: {memory['start']:.0f} MB at the start, {memory['end']:.0f} at the"
        f" end, {memory['peak']:.0f} at its peak;"
        f" the database grew by {result.database_bytes:.0f} B a packet"
    )


def _checks(result: Result) -> str:
    return (
        f"checks: {result.completed:,} of {result.sent:,} packets complete;"
        f" {len(result.violations)} invariants, {sum(result.violations.values())} violations"
    )


def _latency_rows(phase: PhaseResult) -> list[Row]:
    if phase.name == "idle":
        name = "one packet on an idle hub, p50 ms"
        return [Row(name=name, measured=phase.p50_ms, committed="< 10")]
    if not phase.rate:
        return []
    at = f"at {phase.rate:,}/s"
    return [
        Row(
            name=f"latency {at}, p50 ms",
            measured=phase.p50_ms,
            committed={5000: "< 12"}.get(phase.rate, ""),
        ),
        Row(
            name=f"latency {at}, p99 ms",
            measured=phase.p99_ms,
            expected={1000: "< 250"}.get(phase.rate, ""),
            committed={5000: "< 80"}.get(phase.rate, ""),
        ),
    ]


_PHASE_TITLES = (
    "",
    "packets",
    "packets/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "relayer us",
    "Postgres us",
    "generator us",
    "WAL B",
    "transactions",
    "resent",
)


def _phase_cells(phase: PhaseResult) -> tuple[str, ...]:
    return (
        phase.name,
        f"{phase.packets:,}",
        _number(phase.per_second),
        _number(phase.p50_ms),
        _number(phase.p99_ms),
        _number(phase.p999_ms),
        _number(phase.relayer_us),
        _number(phase.postgres_us),
        _number(phase.generator_us),
        _number(phase.wal_bytes),
        _number(phase.transactions),
        f"{phase.resent:,}",
    )


def _numbers(result: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for phase in result["phases"]:
        for name, value in phase.items():
            if isinstance(value, int | float):
                yield f"{phase['name']}: {name}", value
    for group, values in result.items():
        if isinstance(values, dict) and group not in _SKIPPED:
            yield from ((f"{group}: {name}", value) for name, value in values.items())


def _table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell; the first one to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
    return [
        "  ".join(
            [
                cell.ljust(width) if at == 0 else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
        ).rstrip()
        for line in (titles, *lines)
    ]


def _number(value: float) -> str:
    """Three digits that tell something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


def _median(phases: Sequence[PhaseResult], value: Callable[[PhaseResult], float]) -> float:
    return median([value(phase) for phase in phases])
