"""Results of the bench that nobody measured."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from hub.cli.bench.options import Options
from hub.cli.bench.plan import Kind
from hub.cli.bench.result import PhaseResult, Result, RunResult

PHASE = PhaseResult(
    name="round 1",
    kind=Kind.CLOSED,
    packets=1000,
    per_second=4000.0,
    p50_ms=10.0,
    p99_ms=20.0,
    p999_ms=30.0,
    max_ms=40.0,
    cpu_us={"relayer-1": 100.0, "hub": 1.0, "Postgres": 50.0, "generator": 5.0},
    written_bytes={"relayer-1": 0.0, "hub": 0.0, "Postgres": 2000.0, "generator": 0.0},
    memory_mb={"relayer-1": 70.0, "hub": 90.0, "Postgres": 100.0, "generator": 60.0},
    wal_bytes=700.0,
    transactions=0.01,
    database_bytes=650.0,
    bloat=0.05,
)
RUN = RunResult(
    name="one relayer",
    options=asdict(Options()),
    load="a load",
    phases=(
        replace(PHASE, name="idle", kind=Kind.IDLE, packets=200, p50_ms=7.0),
        replace(PHASE, name="1000/s", kind=Kind.OPEN, rate=1000, per_second=999.0, p99_ms=44.0),
        replace(PHASE, name="5000/s", kind=Kind.OPEN, rate=5000, p50_ms=11.0, p99_ms=81.0),
        PHASE,
        replace(PHASE, name="round 2", per_second=2000.0),
        replace(PHASE, name="round 3", per_second=16_000.0, cpu_us={"Postgres": 3.0}),
    ),
    functions_us={"header of 100 validators": 5500.0},
    memory_mb={"relayer-1": {"start": 60.0, "end": 70.0, "peak": 80.0}},
    sent=1000,
    completed=1000,
    violations={"I1": 0},
)
RESULT = Result(
    made_at="2026-11-25T17:00:00Z",
    command="ydhub bench",
    preset="standard",
    machine="a machine",
    busy=0.5,
    commit="abc",
    version="0.1.0",
    runs=(RUN,),
)


def run_of(name: str, cost: float, **options: Any) -> RunResult:
    """A run of that name at whose saturation a packet costs *cost* microseconds of a relayer."""
    phases = tuple(
        [replace(PHASE, name=f"round {at}", cpu_us={"relayer-1": cost}) for at in (1, 2)]
    )
    known = {**asdict(Options()), **options}
    return replace(RUN, name=name, phases=phases, options=known, functions_us={}, memory_mb={})


def resting(run: RunResult, relayer_ms: float) -> RunResult:
    """*run*, whose relayer took so many ms of CPU a second at rest, and Postgres four."""
    return replace(run, rest_us={"relayer-1": 1000 * relayer_ms, "Postgres": 4000.0, "hub": 9.0})


def soak_of(
    memory: list[float],
    p50: list[float],
    *,
    bloat: float = 0.01,
    changing: list[float] | None = None,
) -> RunResult:
    """A soak whose slices had those figures; *changing* are MB, the same in all unless given."""
    sizes = changing or [1.0] * len(memory)
    phases = tuple(
        [
            replace(
                PHASE,
                name=f"slice {at}",
                kind=Kind.SLICE,
                rate=5000,
                packets=300_000,
                per_second=5000.0,
                p50_ms=median,
                memory_mb={"relayer-1": held},
                bloat=bloat,
                changing_mb=size,
            )
            for at, (held, median, size) in enumerate(zip(memory, p50, sizes, strict=True), 1)
        ]
    )
    return replace(RUN, name="soak", phases=phases)
