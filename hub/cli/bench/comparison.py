"""Two results beside each other: every number that both hold, and what is worse than noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.cli.bench.report import number, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hub.cli.bench.result import PhaseResult, Result, RunResult

NOISE_WALL: Final = 1.3
"""Ratio of wall times that two runs of the same program may have. Source: performance notes."""
NOISE_CPU: Final = 1.15
_WALL: Final = frozenset({"p50_ms", "p99_ms", "p999_ms", "max_ms"})
_COST: Final = frozenset({"wal_bytes", "transactions", "database_bytes"})
_NEUTRAL: Final = frozenset(
    {"rate", "packets", "bloat", "changing_mb", "resent", "late_ms", "waited_ms"}
)
_LEAST_CPU_US: Final = 30_000
"""Of a whole phase: what differs by less is the kernel's own step, 10 ms."""


@dataclass(frozen=True, slots=True)
class Line:
    """A number of both results."""

    name: str
    before: float
    after: float
    noise: float
    """Ratio up to which a difference says nothing; 0 where more is neither better nor worse."""
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times the first the second is; None of nothing."""
        return self.after / self.before if self.before else None

    @property
    def mark(self) -> str:
        """Whether the second is better or worse, where that is more than noise."""
        ratio = self.ratio
        if not ratio or not self.noise:
            return ""
        if 1 / self.noise <= ratio <= self.noise:
            return ""
        return "better" if (ratio > 1) == self.more_is_better else "worse"


def lines(first: Result, second: Result) -> list[Line]:
    """Every number that both have, run by run."""
    return [line for pair in _pairs(first, second) for line in _run_lines(*pair)]


def comparison(first: Result, second: Result) -> str:
    """Both, for people."""
    found = lines(first, second)
    cells = [
        (
            line.name,
            number(line.before),
            number(line.after),
            "" if line.ratio is None else f"{line.ratio:.2f}",
            line.mark,
        )
        for line in found
    ]
    worse = [line.name for line in found if line.mark == "worse"]
    text = [
        f"A  {first.made_at}, commit {first.commit}: {first.command}",
        f"B  {second.made_at}, commit {second.commit}: {second.command}",
        "",
        *table(("", "A", "B", "B / A", ""), cells),
        "",
        f"noise: wall times up to {NOISE_WALL}, CPU up to {NOISE_CPU}",
        f"load average before: {first.busy:.1f} and {second.busy:.1f}",
        f"worse than noise: {', '.join(worse) or 'nothing'}",
        *[f"not the same: {difference}" for difference in differences(first, second)],
        *[f"only in {side}: {', '.join(names)}" for side, names in alone(first, second).items()],
    ]
    if first.machine != second.machine:
        text += [f"A on {first.machine}", f"B on {second.machine}"]
    return "\n".join(text)


def as_json(first: Result, second: Result) -> dict[str, Any]:
    """Both, for programs."""
    return {
        "numbers": [
            {
                "name": line.name,
                "a": line.before,
                "b": line.after,
                "ratio": line.ratio,
                "mark": line.mark,
            }
            for line in lines(first, second)
        ],
        "alone": alone(first, second),
    }


def _run_lines(first: RunResult, second: RunResult) -> Iterator[Line]:
    others = {phase.name: phase for phase in second.phases}
    for phase in first.phases:
        other = others.get(phase.name)
        if other is not None:
            yield from _phase_lines(f"{first.name}: {phase.name}", phase, other)
    yield from _shared(f"{first.name}: CPU us of", first.functions_us, second.functions_us)
    ends, others_ends = [
        {name: memory["end"] for name, memory in run.memory_mb.items()} for run in (first, second)
    ]
    yield from _shared(f"{first.name}: memory MB of", ends, others_ends)


def _phase_lines(name: str, first: PhaseResult, second: PhaseResult) -> Iterator[Line]:
    # In open loop the rate is given, not reached.
    noise = 0 if first.rate else NOISE_WALL
    yield Line(f"{name}: per_second", first.per_second, second.per_second, noise, True)
    for field in sorted(_WALL):
        yield Line(f"{name}: {field}", getattr(first, field), getattr(second, field), NOISE_WALL)
    for field in sorted(_COST):
        yield Line(f"{name}: {field}", getattr(first, field), getattr(second, field), NOISE_CPU)
    for field in sorted(_NEUTRAL):
        yield Line(f"{name}: {field}", getattr(first, field), getattr(second, field), 0)
    packets = max(1, min(first.packets, second.packets))
    least = _LEAST_CPU_US / packets
    yield from _shared(f"{name}: CPU us of", first.cpu_us, second.cpu_us, least)
    sums, others_sums = [{"relayer + Postgres": each.system_us} for each in (first, second)]
    yield from _shared(f"{name}: CPU us of", sums, others_sums, least)


def _shared(
    name: str, first: Mapping[str, float], second: Mapping[str, float], least: float = 0
) -> Iterator[Line]:
    """What both have, by name; a difference below *least* says nothing."""
    for key, value in first.items():
        if key in second:
            noise = 0 if abs(value - second[key]) < least else NOISE_CPU
            yield Line(f"{name} {key}", value, second[key], noise)


def differences(first: Result, second: Result) -> list[str]:
    """Options of runs that are compared, where they are not the same."""
    return [
        f"{one.name}: {name} is {value} and {other.options[name]}"
        for one, other in _pairs(first, second)
        for name, value in one.options.items()
        if name in other.options and other.options[name] != value
    ]


def alone(first: Result, second: Result) -> dict[str, list[str]]:
    """By A and B: runs that the other has not, and phases of runs that both have."""
    pairs = _pairs(first, second)
    sides = {
        "A": (first, pairs),
        "B": (second, [(other, one) for one, other in pairs]),
    }
    found = {side: _alone(result, own) for side, (result, own) in sides.items()}
    return {side: names for side, names in found.items() if names}


def _alone(result: Result, pairs: Sequence[tuple[RunResult, RunResult]]) -> list[str]:
    compared = [own for own, _ in pairs]
    found = [run.name for run in result.runs if run not in compared]
    for own, other in pairs:
        theirs = {phase.name for phase in other.phases}
        found += [f"{own.name}: {phase.name}" for phase in own.phases if phase.name not in theirs]
    return found


def _pairs(first: Result, second: Result) -> list[tuple[RunResult, RunResult]]:
    """Runs of one name; and the only runs of both, whatever their names."""
    if len(first.runs) == len(second.runs) == 1:
        return [(first.runs[0], second.runs[0])]
    others = {run.name: run for run in second.runs}
    return [(run, others[run.name]) for run in first.runs if run.name in others]
