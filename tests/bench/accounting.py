"""What processes and the database have used so far, and the difference of two such readings.

CPU time is the kernel's own count of a process and of its children that have ended, so nothing is
sampled and nothing is lost.

Source: proc(5), stat: utime, stime, cutime, cstime.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import psutil
from sqlalchemy import make_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.registry.embedded import EmbeddedPostgres

_MICROSECONDS: Final = 1_000_000
FLUSHED_S: Final = 1.2
"""A backend publishes its counters at most once a second."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process, with all of its threads."""

    process: psutil.Process

    @property
    def cpu(self) -> int:
        """Microseconds of CPU time, user and system."""
        return _cpu(self.process)

    @property
    def memory(self) -> int:
        """Bytes of memory that it holds now."""
        return int(self.process.memory_info().rss)

    @property
    def peak(self) -> int:
        """Bytes of memory that it held at most. Source: proc(5), status: VmHWM."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        fields = dict([line.split(":", 1) for line in status.splitlines()])
        return int(fields["VmHWM"].split()[0]) * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUse:
    """What the server has done since it was started."""

    wal: int
    """Bytes of its log: all that it must write to answer."""
    transactions: int
    size: int
    """Bytes of the database."""


class Postgres:
    """The server: all of its processes, and its own counters."""

    def __init__(self, postmaster: psutil.Process, connection: Any) -> None:
        self._postmaster = postmaster
        self._connection = connection

    @classmethod
    async def connect(cls, url: str, server: EmbeddedPostgres) -> Postgres:
        """The running *server*, whose database is at *url*."""
        pid = server.pid()
        if pid is None:
            raise RuntimeError("the database does not run")
        parts = make_url(url)
        connection = await asyncpg.connect(
            host=str(parts.query["host"]), user=parts.username, database=parts.database
        )
        return cls(psutil.Process(pid), connection)

    async def close(self) -> None:
        """The connection is closed."""
        await self._connection.close()

    @property
    def cpu(self) -> int:
        """Microseconds of CPU time of every process of it, living or ended."""
        total = _cpu(self._postmaster, with_ended=True)
        for child in self._postmaster.children(recursive=True):
            try:
                total += _cpu(child)
            except psutil.NoSuchProcess:
                continue
        return total

    async def version(self) -> str:
        """The server's version."""
        return str(await self._connection.fetchval("SHOW server_version"))

    async def use(self) -> DatabaseUse:
        """Its counters, with everything that was done before the call."""
        await asyncio.sleep(FLUSHED_S)
        row = await self._connection.fetchrow(
            "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS wal,"
            " xact_commit + xact_rollback AS transactions,"
            " pg_database_size(datname) AS size"
            " FROM pg_stat_database WHERE datname = current_database()"
        )
        return DatabaseUse(
            wal=int(row["wal"]), transactions=int(row["transactions"]), size=int(row["size"])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """CPU time used so far, in microseconds."""

    relayer: int
    postgres: int
    generator: int

    def __sub__(self, other: Reading) -> Reading:
        return Reading(
            relayer=self.relayer - other.relayer,
            postgres=self.postgres - other.postgres,
            generator=self.generator - other.generator,
        )


def read(relayers: Sequence[Process], postgres: Postgres, generator: Process) -> Reading:
    """What was used up to now."""
    return Reading(
        relayer=sum([relayer.cpu for relayer in relayers]),
        postgres=postgres.cpu,
        generator=generator.cpu,
    )


def _cpu(process: psutil.Process, *, with_ended: bool = False) -> int:
    times = process.cpu_times()
    used = times.user + times.system
    if with_ended:
        used += times.children_user + times.children_system
    return round(used * _MICROSECONDS)
