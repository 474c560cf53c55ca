"""A result as text, for people: what was run, every phase, and the design's numbers beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.cli.bench import soak
from hub.cli.bench.plan import Kind
from hub.cli.bench.result import processes
from hub.cli.bench.targets import rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.cli.bench.result import PhaseResult, Result, RunResult

_HUNDRED, _TEN = 100, 10
_TITLES: Final = (
    "",
    "packets",
    "packets/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "sent late ms",
    "WAL B",
    "transactions",
    "resent",
)


def text(result: Result) -> str:
    """The whole result."""
    parts = [
        f"made at   {result.made_at}, ydhub {result.version}, commit {result.commit or 'unknown'}",
        f"machine   {result.machine}; load average {result.busy:.1f} before",
        f"command   {result.command}",
    ]
    for run in result.runs:
        parts += ["", *run_lines(run)]
    parts += ["", *target_lines(result)]
    return "\n".join([*parts, *[f"FAILED: {problem}" for problem in result.problems]])


def run_lines(run: RunResult) -> list[str]:
    """One run: its load, its phases, what each process cost, single functions, checks."""
    lines = [f"== {run.name}: {run.load}"]
    if run.phases:
        lines += ["", *table(_TITLES, [_phase_cells(phase) for phase in run.phases])]
        lines += ["", *_process_lines(run)]
    if run.functions_us:
        cells = [(name, number(value)) for name, value in run.functions_us.items()]
        lines += ["", *table(("one call of", "CPU us"), cells)]
    if run.rest_us:
        lines += ["", *_rest_lines(run)]
    lines += ["", *_memory_lines(run), *soak.lines(run), _checks(run)]
    return lines


def target_lines(result: Result) -> list[str]:
    """The design's numbers beside what was measured."""
    cells = []
    for row in rows(result):
        sign = ">=" if row.target.more_is_better else "<"
        cells.append(
            (
                row.target.name,
                "" if row.measured is None else number(row.measured),
                f"{sign} {number(row.target.committed)}",
                f"{sign} {number(row.target.stretch)}",
                row.verdict,
            )
        )
    return table(("to reach", "measured", "committed", "stretch", "verdict"), cells)


def table(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
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


def number(value: float) -> str:
    """Three digits that tell something."""
    if abs(value) >= _HUNDRED:
        return f"{value:,.0f}"
    digits = f"{value:.1f}" if abs(value) >= _TEN else f"{value:.2f}"
    return digits.rstrip("0").rstrip(".")


def _phase_cells(phase: PhaseResult) -> tuple[str, ...]:
    return (
        phase.name,
        f"{phase.packets:,}",
        number(phase.per_second),
        number(phase.p50_ms),
        number(phase.p99_ms),
        number(phase.p999_ms),
        number(phase.late_ms),
        number(phase.wal_bytes),
        number(phase.transactions),
        f"{phase.resent:,}",
    )


def _process_lines(run: RunResult) -> list[str]:
    """CPU time and bytes written a packet, of each process; generator and sinks apart."""
    names = processes(run.phases)
    cells = [
        (phase.name, *[number(phase.cpu_us.get(name, 0)) for name in names]) for phase in run.phases
    ]
    lines = table(("CPU us a packet", *names), cells)
    written = [
        (phase.name, *[number(phase.written_bytes.get(name, 0)) for name in names])
        for phase in run.phases
        if phase.kind in {Kind.CLOSED, Kind.SLICE}
    ]
    if written:
        lines += ["", *table(("bytes written a packet", *names), written)]
    return lines


def _rest_lines(run: RunResult) -> list[str]:
    """What runs at rest too, and what a packet costs with it and without."""
    phases = run.of(Kind.CLOSED)
    names = processes(phases)
    at_rest = [number(run.rest_us.get(name, 0) / 1000) for name in names]
    cells = [
        (phase.name, number(phase.system_us), number(run.beyond_rest(phase))) for phase in phases
    ]
    titles = ("CPU us a packet, relayers + Postgres", "all", "beyond rest")
    return [
        *table(("CPU ms a second", *names), [("at rest, a header a second and peer", *at_rest)]),
        "",
        *table(titles, cells),
    ]


def _memory_lines(run: RunResult) -> list[str]:
    cells = [
        (name, *[number(memory[moment]) for moment in ("start", "end", "peak")])
        for name, memory in run.memory_mb.items()
    ]
    return [*table(("memory MB", "start", "end", "peak"), cells), ""] if cells else []


def _checks(run: RunResult) -> str:
    broken = sum([count > 0 for count in run.violations.values()])
    untold = sum([count < 0 for count in run.violations.values()])
    return (
        f"checks: {run.completed:,} of {run.sent:,} packets complete;"
        f" {len(run.violations)} invariants, {broken} broken"
        + (f", {untold} not looked at whole" if untold else "")
    )
