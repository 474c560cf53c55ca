"""What a run found, as it is printed and kept."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from hub.core.time import MILLISECOND, SECOND
from tests.bench import clock
from tests.bench.traffic import quantile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.accounting import DatabaseUse, Reading
    from tests.bench.generator import Ran
    from tests.bench.plan import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseResult:
    """One phase in numbers; times are CPU microseconds a packet unless named otherwise."""

    name: str
    rate: int
    """Packets a second that were offered; 0 in closed loop."""
    packets: int
    per_second: float
    """Packets completed a second, from the first one due to the last one complete."""
    p50_ms: float
    p99_ms: float
    p999_ms: float
    relayer_us: float
    postgres_us: float
    generator_us: float
    wal_bytes: float
    """Bytes that Postgres wrote to its log, a packet."""
    transactions: float
    """Transactions a packet."""
    resent: int
    """Packets that were handed over more than once."""

    @property
    def cpu_us(self) -> float:
        """Relayer and Postgres together."""
        return self.relayer_us + self.postgres_us


def phase_result(
    phase: Phase,
    ran: Ran,
    completed_at: int,
    cpu: Reading,
    database: tuple[DatabaseUse, DatabaseUse],
) -> PhaseResult:
    """The numbers of *phase*, complete at *completed_at* (monotonic ns)."""
    before, after = database
    packets = phase.packets
    return PhaseResult(
        name=phase.name,
        rate=phase.rate,
        packets=packets,
        per_second=round(packets * SECOND / (completed_at - ran.began_at), 1),
        p50_ms=_milliseconds(ran.latencies, 500),
        p99_ms=_milliseconds(ran.latencies, 990),
        p999_ms=_milliseconds(ran.latencies, 999),
        relayer_us=round(cpu.relayer / packets, 1),
        postgres_us=round(cpu.postgres / packets, 1),
        generator_us=round(cpu.generator / packets, 1),
        wal_bytes=round((after.wal - before.wal) / packets, 1),
        transactions=round((after.transactions - before.transactions) / packets, 4),
        resent=ran.resent,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A whole run."""

    made_at: str
    command: str
    machine: str
    busy: float
    """Processes that wanted a core in the minute before the run: what else the machine did."""
    commit: str
    load: str
    options: Mapping[str, Any]
    phases: Sequence[PhaseResult]
    functions_us: Mapping[str, float]
    """CPU microseconds of single functions."""
    memory_mb: Mapping[str, float]
    """Of the largest relayer process, at the start, at the end, and at its peak."""
    database_bytes: float
    """Growth of the database over all phases, a packet."""
    sent: int
    completed: int
    violations: Mapping[str, int]
    """Rows that break each invariant of the registry."""

    @property
    def problems(self) -> list[str]:
        """What went wrong, one sentence each; timing never does."""
        found = [f"{count} rows break {name}" for name, count in self.violations.items() if count]
        if self.completed != self.sent:
            found.append(f"{self.completed} of {self.sent} packets are complete")
        return found

    def as_json(self) -> dict[str, Any]:
        """All of it, in plain values."""
        return asdict(self)


def made_at() -> str:
    """The date and time, UTC."""
    return datetime.fromtimestamp(clock.now() // SECOND, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def machine(postgres: str) -> str:
    """What the run was made on."""
    memory = round(psutil.virtual_memory().total / 2**30)
    return (
        f"{_processor()}, {psutil.cpu_count()} cores, {memory} GB, {platform.system()}"
        f" {platform.release()}, Python {platform.python_version()}, PostgreSQL {postgres}"
    )


def command() -> str:
    """How the run was called."""
    return shlex.join(["python", "-m", "tests.bench", *sys.argv[1:]])


def commit() -> str:
    """The commit of the tree, with a plus where files differ from it; empty outside git."""
    revision = _git("rev-parse", "--short", "HEAD")
    changed = "+" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return revision + changed if revision else ""


def _git(*arguments: str) -> str:
    root = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _milliseconds(latencies: Sequence[tuple[int, int]], per_mille: int) -> float:
    return round(quantile(latencies, per_mille) / MILLISECOND, 2)
