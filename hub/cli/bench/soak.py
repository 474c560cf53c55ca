"""What a soak shows: whether memory, tables and latencies stay as they are.

The first slices are left out where there are enough: caches fill, partitions begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final

from hub.cli.bench.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.cli.bench.result import PhaseResult, RunResult

MAX_BLOAT: Final = 0.2
MAX_DRIFT: Final = 0.1
MAX_SLOPE_MB: Final = 1.0
"""An hour, of each relayer process, as far as a run can tell that from what comes and goes."""
_SETTLING: Final = 5
"""A slice in so many is left out at the start."""
_HOUR_S: Final = 3600
FEWEST: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """One soak in numbers."""

    slices: int
    seconds: int
    """Of all of them."""
    memory_mb_per_hour: float
    """Slope of the relayer process that grows fastest, by least squares."""
    memory_mb_error: float
    """What the slope may be off by, twice its standard error (MB an hour)."""
    bloat: float
    """Largest share of dead rows in the tables' bytes, 0 to 1."""
    p50_drift: float
    """How much the last third's median is over the first third's, as a share of it."""
    p99_drift: float

    @property
    def problems(self) -> list[str]:
        """What does not stay as it is."""
        found = []
        if self.memory_mb_per_hour - self.memory_mb_error > MAX_SLOPE_MB:
            found.append(f"memory grows by {self.memory_mb_per_hour:.0f} MB an hour")
        if self.bloat >= MAX_BLOAT:
            found.append(f"dead rows are {self.bloat:.0%} of the tables")
        if self.p50_drift >= MAX_DRIFT:
            found.append(f"the median latency has risen by {self.p50_drift:.0%}")
        return found


def soak(run: RunResult) -> Soak | None:
    """What *run* shows; None where it is no soak, or a very short one."""
    slices = run.of(Kind.SLICE)
    kept = slices[len(slices) // _SETTLING :]
    if len(kept) < FEWEST:
        return None
    length = int(run.options.get("slice_seconds", 60))
    slopes = [
        slope([(at * length, phase.memory_mb[name]) for at, phase in enumerate(kept)])
        for name in kept[0].memory_mb
        if name.startswith("relayer")
    ]
    steepest, error = max(slopes, default=(0.0, 0.0))
    return Soak(
        slices=len(slices),
        seconds=len(slices) * length,
        memory_mb_per_hour=round(steepest * _HOUR_S, 1),
        memory_mb_error=round(2 * error * _HOUR_S, 1),
        bloat=max([phase.bloat for phase in kept]),
        p50_drift=drift([phase.p50_ms for phase in kept]),
        p99_drift=drift([phase.p99_ms for phase in kept]),
    )


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The slope of the line that fits *points* best, and its standard error."""
    count = len(points)
    x_mean = sum([x for x, _ in points]) / count
    y_mean = sum([y for _, y in points]) / count
    spread = sum([(x - x_mean) ** 2 for x, _ in points])
    if not spread:
        return 0.0, 0.0
    found = sum([(x - x_mean) * (y - y_mean) for x, y in points]) / spread
    rest = sum([(y - y_mean - found * (x - x_mean)) ** 2 for x, y in points])
    return found, (rest / max(count - 2, 1) / spread) ** 0.5


def drift(values: Sequence[float]) -> float:
    """How much the median of the last third is over that of the first, as a share of it."""
    third = max(1, len(values) // 3)
    first, last = median(values[:third]), median(values[-third:])
    return round(last / first - 1, 3) if first else 0.0


def lines(run: RunResult) -> list[str]:
    """The soak for people; empty where *run* is none."""
    found = soak(run)
    if found is None:
        return []
    pauses = sum([phase.waited_ms for phase in run.of(Kind.SLICE)]) / 1000
    minutes, rate = found.seconds / 60, _rate(run.of(Kind.SLICE))
    memory = f"{found.memory_mb_per_hour:+.1f} MB/h (error {found.memory_mb_error:.1f})"
    return [
        f"soak of {found.slices} slices, {minutes:.1f} minutes at {rate:,}/s",
        f"  memory of the relayer that grows fastest  {memory}",
        f"  dead rows, share of all tables  {found.bloat:.1%}, to stay below {MAX_BLOAT:.0%}",
        f"  drift of latency, p50  {found.p50_drift:+.1%}, to stay below {MAX_DRIFT:.0%}",
        f"  drift of latency, p99  {found.p99_drift:+.1%}",
        f"  pauses between slices  {pauses:.1f} s in all, most for headers of the next part",
        *[f"  NOT FLAT: {problem}" for problem in found.problems],
    ]


def _rate(phases: Sequence[PhaseResult]) -> int:
    return phases[0].rate if phases else 0
