"""What was found, as it is printed and kept: plain values, so that any file can be read again."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the file's reader looks at the types
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import msgspec

from hub.cli.bench.plan import Kind  # noqa: TC001 - the same
from hub.cli.bench.quantiles import quantile
from hub.cli.bench.system import HUB, POSTGRES
from hub.core.errors import FieldInvalid
from hub.core.time import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from hub.cli.bench.accounting import Use
    from hub.cli.bench.plan import Phase

GENERATOR, BUILDERS = "generator", "builders"
"""The cities, sources and sinks; and what builds the next slice of a soak meanwhile."""
FORMAT: Final = 1
MEGABYTE: Final = 2**20


def system_cpu(cpu_us: Mapping[str, float]) -> float:
    """The part of *cpu_us*, by process, that is relayers' and Postgres'."""
    relayers = [cpu for name, cpu in cpu_us.items() if name.startswith("relayer")]
    return sum(relayers) + cpu_us.get(POSTGRES, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseResult:
    """One phase in numbers; latencies run from the intended send to the proven acknowledgement."""

    name: str
    kind: Kind
    rate: int = 0
    """Packets a second that were offered; 0 in closed loop."""
    packets: int = 0
    per_second: float = 0
    """Packets completed a second, from the first one due to the last one complete."""
    p50_ms: float = 0
    p99_ms: float = 0
    p999_ms: float = 0
    max_ms: float = 0
    waited_ms: int = 0
    """Before a slice of a soak could begin: until it was built, and a header said so."""
    late_ms: float = 0
    """How much later than intended the generator let the latest frame go."""
    cpu_us: Mapping[str, float] = field(default_factory=dict)
    """By process: microseconds of CPU a packet."""
    written_bytes: Mapping[str, float] = field(default_factory=dict)
    """By process: bytes that it wrote to files, a packet; the database's log among them."""
    memory_mb: Mapping[str, float] = field(default_factory=dict)
    """By process: memory at the end of the phase."""
    wal_bytes: float = 0
    """Bytes that Postgres wrote to its log, a packet."""
    transactions: float = 0
    """Transactions a packet."""
    database_bytes: float = 0
    """Growth of the database, a packet."""
    bloat: float = 0
    """Share of dead rows in all tables' bytes at the end of the phase, 0 to 1."""
    changing_mb: float = 0
    """The tables of which rows were changed or deleted, with their indexes, at the end of it."""
    resent: int = 0
    """Packets that were handed over more than once."""

    @property
    def system_us(self) -> float:
        """Relayers and Postgres: what design section 8 counts."""
        return system_cpu(self.cpu_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One run: one plan, on one system made for it."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    load: str = ""
    phases: tuple[PhaseResult, ...] = ()
    functions_us: Mapping[str, float] = field(default_factory=dict)
    """CPU microseconds of one call of single functions."""
    memory_mb: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By process: at the start, at the end, and at its peak."""
    rest_us: Mapping[str, float] = field(default_factory=dict)
    """By process: microseconds of CPU a second while no packet was sent; empty where nobody looked.

    Every peer sends a header a second then too, and everything that is periodic runs.
    """
    build_s: float = 0
    sent: int = 0
    completed: int = 0
    violations: Mapping[str, int] = field(default_factory=dict)
    """Rows that break each invariant of the registry; -1 where there was no time to tell."""
    unfinished: str = ""
    """Why it was not carried through; empty where it was."""

    @property
    def problems(self) -> list[str]:
        """What went wrong, one sentence each; timing never does."""
        found = [
            f"{self.name}: {count} rows break {rule}"
            if count > 0
            else f"{self.name}: there was no time to look at all of {rule}"
            for rule, count in self.violations.items()
            if count
        ]
        if self.unfinished:
            found.append(f"{self.name}: unfinished: {self.unfinished}")
        elif self.completed != self.sent:
            found.append(f"{self.name}: {self.completed} of {self.sent} packets are complete")
        return found

    def of(self, kind: Kind) -> list[PhaseResult]:
        """Its phases of that kind."""
        return [phase for phase in self.phases if phase.kind is kind]

    def middle(self, kind: Kind, value: Callable[[PhaseResult], float]) -> float | None:
        """The median over its phases of that kind; None where there is none."""
        found = [value(phase) for phase in self.of(kind)]
        return median(found) if found else None

    def beyond_rest(self, phase: PhaseResult) -> float:
        """CPU us a packet of relayers and Postgres in *phase*, less what runs at rest too."""
        return phase.system_us - system_cpu(self.rest_us) / max(phase.per_second, 1)

    @property
    def relayer_memory_mb(self) -> float | None:
        """Of the largest relayer process at the end; None where it was not read."""
        found = [
            memory["end"] for name, memory in self.memory_mb.items() if name.startswith("relayer")
        ]
        return max(found, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One call of ``ydhub bench``."""

    format: int = FORMAT
    made_at: str = ""
    command: str = ""
    preset: str = ""
    machine: str = ""
    busy: float = 0
    """Processes that wanted a core in the minute before: what else the machine did."""
    commit: str = ""
    version: str = ""
    runs: tuple[RunResult, ...] = ()

    @property
    def problems(self) -> list[str]:
        """What went wrong in any run."""
        return [problem for run in self.runs for problem in run.problems]

    def as_json(self) -> dict[str, Any]:
        """All of it, in plain values."""
        return asdict(self)


def read_result(file: Path) -> Result:
    """The result in *file*, or in a folder of results. Raises ``FieldInvalid``."""
    path = file / "result.json" if file.is_dir() else file
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Result)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise FieldInvalid(field=str(file), problem=problem) from error
    except msgspec.DecodeError as error:
        raise FieldInvalid(field=str(file), problem=f"is no result: {error}") from error
    if found.format != FORMAT:
        problem = f"has format {found.format}, not {FORMAT}"
        raise FieldInvalid(field=str(file), problem=problem)
    return found


def phase_result(
    phase: Phase,
    ran: Mapping[str, Any],
    completed_at: int,
    used: Mapping[str, Use],
    database: tuple[Mapping[str, int], Mapping[str, int]],
) -> PhaseResult:
    """The numbers of *phase*, complete at *completed_at* (monotonic ns).

    *ran* is the generator's answer, *used* what each process spent, *database* its counters before
    and after.
    """
    before, after = database
    packets = phase.packets
    latencies = [(micros, count) for micros, count in ran["latencies"]]

    def milliseconds(per_mille: int) -> float:
        return round(quantile(latencies, per_mille) / 1000, 2)

    def grown(name: str, digits: int = 1) -> float:
        return round((after[name] - before[name]) / packets, digits)

    return PhaseResult(
        name=phase.name,
        kind=phase.kind,
        rate=phase.rate,
        packets=packets,
        per_second=round(packets * SECOND / max(completed_at - ran["began_at"], 1), 1),
        p50_ms=milliseconds(500),
        p99_ms=milliseconds(990),
        p999_ms=milliseconds(999),
        max_ms=milliseconds(1000),
        waited_ms=ran["waited_ms"],
        late_ms=round(ran["late_ms"], 2),
        cpu_us=_rounded({name: use.cpu_us / packets for name, use in used.items()}),
        written_bytes=_rounded({name: use.written / packets for name, use in used.items()}),
        memory_mb=_rounded({name: use.memory / MEGABYTE for name, use in used.items()}),
        wal_bytes=grown("wal"),
        transactions=grown("transactions", 4),
        database_bytes=grown("size"),
        bloat=round(after["dead_bytes"] / max(after["table_bytes"], 1), 4),
        changing_mb=round(after["changing_bytes"] / MEGABYTE, 2),
        resent=ran["resent"],
    )


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in values.items()}


def processes(phases: Iterable[PhaseResult]) -> list[str]:
    """Every process of *phases*: relayers, Postgres, the hub, then what is no part of it."""
    found = {name for phase in phases for name in phase.cpu_us}
    relayers = sorted([name for name in found if name.startswith("relayer")])
    fixed = [name for name in (POSTGRES, HUB, GENERATOR, BUILDERS) if name in found]
    return relayers + fixed
