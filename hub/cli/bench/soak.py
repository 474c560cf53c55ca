"""What a soak shows: whether memory, tables and latencies stay as they are.

The first slices are left out: caches fill, partitions begin. What is beyond its limit by more than
chance explains is a problem. What may be beyond it, for all that these few slices can tell, is told
as that: a longer soak tells more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median
from typing import TYPE_CHECKING, Final

from hub.cli.bench.plan import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.cli.bench.result import PhaseResult, RunResult

MAX_BLOAT: Final = 0.2
MAX_DRIFT: Final = 0.1
MAX_SLOPE_MB: Final = 1.0
"""An hour, of each relayer process."""
MAX_GROWTH: Final = 0.2
"""Of the tables whose rows change, as a share of what they were."""
LEAST_GROWTH_MB: Final = 4.0
"""What they grow by at most, however small they are: rows that wait for a while take some room."""
SETTLING_S: Final = 120
"""Left out at the start, or a fifth of the slices where that is more."""
_SETTLING: Final = 5
FEWEST: Final = 6
"""Slices that are left; fewer tell nothing."""
_SURE: Final = 2.5
"""Standard errors that something may be off by: among so few slices, chance seldom does more."""
_STEP_MB: Final = 2.0
"""Memory is taken in steps, a mebibyte at a time for Python's objects: two of them are no trend."""
_MEDIAN_ERROR: Final = 1.2533
"""A median's standard error over a mean's."""
_MEDIAN_STEP: Final = 0.954
"""The median difference of two neighbours over a standard deviation, of what is random alone."""
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """One soak in numbers."""

    slices: int
    seconds: int
    """Of all of them."""
    memory_mb_per_hour: float
    """Slope of the relayer process that grows fastest, by least squares."""
    memory_mb_error: float
    """What the slope may be off by (MB an hour)."""
    bloat: float
    """Largest share of dead rows in the tables' bytes, 0 to 1."""
    changing_mb: float
    """Tables whose rows change, at the start."""
    growth_mb: float
    """How much larger they are at the end."""
    p50_drift: float
    """How much the last third's median is over the first third's, as a share of it."""
    p50_error: float
    """What that may be off by."""
    p99_drift: float

    @property
    def problems(self) -> list[str]:
        """What does not stay as it is."""
        found = []
        if self.memory_mb_per_hour - self.memory_mb_error > MAX_SLOPE_MB:
            found.append(
                f"memory grows by {self.memory_mb_per_hour:.1f} MB an hour,"
                f" {MAX_SLOPE_MB:.0f} at most"
            )
        if self.bloat >= MAX_BLOAT:
            found.append(f"dead rows are {self.bloat:.0%} of the tables, {MAX_BLOAT:.0%} at most")
        if self.growth_mb >= max(LEAST_GROWTH_MB, MAX_GROWTH * self.changing_mb):
            found.append(
                f"tables whose rows change have grown from {self.changing_mb:.1f} MB"
                f" by {self.growth_mb:.1f} MB"
            )
        if self.p50_drift - self.p50_error >= MAX_DRIFT:
            found.append(
                f"the median latency has risen by {self.p50_drift:.0%}, {MAX_DRIFT:.0%} at most"
            )
        return found

    @property
    def untold(self) -> list[str]:
        """What may be beyond its limit, or not: it is less than what chance explains."""
        found = []
        memory = self.memory_mb_per_hour + self.memory_mb_error
        if memory > MAX_SLOPE_MB >= self.memory_mb_per_hour - self.memory_mb_error:
            found.append(f"memory may grow by up to {memory:.1f} MB an hour")
        latency = self.p50_drift + self.p50_error
        if latency >= MAX_DRIFT > self.p50_drift - self.p50_error:
            found.append(f"the median latency may have risen by up to {latency:.0%}")
        return found


def soak(run: RunResult) -> Soak | None:
    """What *run* shows; None where it is no soak, or one too short to show anything."""
    slices, length = run.of(Kind.SLICE), _length(run)
    kept = slices[max(len(slices) // _SETTLING, -(-SETTLING_S // length)) :]
    if len(kept) < FEWEST:
        return None
    ends = list(accumulate([_took(phase) for phase in kept]))
    slopes = [
        slope([(end, phase.memory_mb[name]) for end, phase in zip(ends, kept, strict=True)])
        for name in kept[0].memory_mb
        if name.startswith("relayer")
    ]
    steepest, error = max(slopes, default=(0.0, 0.0))
    steps = _STEP_MB / (ends[-1] - ends[0])
    p50_drift, p50_error = drift([phase.p50_ms for phase in kept])
    first, last = _thirds([phase.changing_mb for phase in kept])
    return Soak(
        slices=len(slices),
        seconds=len(slices) * length,
        memory_mb_per_hour=round(steepest * _HOUR_S, 1),
        memory_mb_error=round(max(_SURE * error, steps) * _HOUR_S, 1),
        bloat=max([phase.bloat for phase in kept]),
        changing_mb=first,
        growth_mb=round(last - first, 2),
        p50_drift=p50_drift,
        p50_error=p50_error,
        p99_drift=drift([phase.p99_ms for phase in kept])[0],
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


def drift(values: Sequence[float]) -> tuple[float, float]:
    """How much the median of the last third is over that of the first, and what chance explains.

    Both as a share of the first. Chance is how much neighbours differ, whatever the trend is.
    """
    first, last = _thirds(values)
    if not first:
        return 0.0, 0.0
    steps = [abs(after - before) for before, after in pairwise(values)]
    deviation = median(steps) / _MEDIAN_STEP if steps else 0.0
    error = _SURE * _MEDIAN_ERROR * deviation * (2 / _third(values)) ** 0.5
    return round(last / first - 1, 3), round(error / first, 3)


def lines(run: RunResult) -> list[str]:
    """The soak for people; empty where *run* is none."""
    slices, found = run.of(Kind.SLICE), soak(run)
    if not slices:
        return []
    minutes = len(slices) * _length(run) / 60
    pauses = sum([phase.waited_ms for phase in slices]) / 1000
    return [
        f"soak of {len(slices)} slices, {minutes:.1f} minutes at {slices[0].rate:,}/s",
        *(_figures(found) if found is not None else []),
        f"  pauses between slices  {pauses:.1f} s in all, most for headers of the next part",
        *_verdict(found),
    ]


def problems(run: RunResult) -> list[str]:
    """What does not stay as it is in *run*, a sentence each; none where it is no soak."""
    found = soak(run)
    return found.problems if found is not None else []


def _figures(found: Soak) -> list[str]:
    memory = f"{found.memory_mb_per_hour:+.1f} MB/h (error {found.memory_mb_error:.1f})"
    tables = f"{found.growth_mb:+.1f} MB of {found.changing_mb:.1f}"
    least = f"{LEAST_GROWTH_MB:.0f} MB or {MAX_GROWTH:.0%}"
    p50 = f"{found.p50_drift:+.1%} (error {found.p50_error:.1%})"
    return [
        f"  memory of the relayer that grows fastest  {memory}, at most {MAX_SLOPE_MB:.0f}",
        f"  dead rows, share of all tables  {found.bloat:.1%}, to stay below {MAX_BLOAT:.0%}",
        f"  tables whose rows change  {tables}, to grow by less than {least}",
        f"  drift of latency, p50  {p50}, to stay below {MAX_DRIFT:.0%}",
        f"  drift of latency, p99  {found.p99_drift:+.1%}",
    ]


def _verdict(found: Soak | None) -> list[str]:
    if found is None:
        few = f"{FEWEST} slices are needed after the first {SETTLING_S} s"
        return [f"  NOT TOLD: it is too short, {few}: ask for more --minutes"]
    told = [f"  NOT FLAT: {problem}" for problem in found.problems]
    told += [f"  NOT TOLD: {what}: ask for more --minutes" for what in found.untold]
    return told or ["  flat"]


def _length(run: RunResult) -> int:
    """Of a slice, in seconds."""
    return int(run.options.get("slice_seconds", 60))


def _took(phase: PhaseResult) -> float:
    """Seconds that the slice took, what came before it and what was late in it included."""
    return phase.waited_ms / 1000 + phase.packets / max(phase.per_second, 1)


def _third(values: Sequence[float]) -> int:
    return max(1, len(values) // 3)


def _thirds(values: Sequence[float]) -> tuple[float, float]:
    """The medians of the first third and of the last."""
    third = _third(values)
    return median(values[:third]), median(values[-third:])
