"""Two PostgreSQL servers on the loopback: a primary, and a standby that has every commit.

What an operator does, in his steps: the primary is killed, its standby promoted, and the killed one
made the standby of its successor by pg_rewind. It can come back as a zombie instead: a primary that
knows nothing of its successor, and takes writes.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from hub.core.errors import RegistryUnreachable
from hub.registry.embedded import DATABASE
from tests.harness.postgres import MEMORY, own_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.registry.embedded import EmbeddedPostgres

NAMES: Final = ("a", "b")
HOST: Final = "127.0.0.1"
_BUSY: Final = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name LIKE '%/%' AND (state <> 'idle' OR backend_xid IS NOT NULL)
"""
_TIMELINE: Final = """
SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer
"""
SYNCHRONOUS: Final = "ANY 1 (a, b)"
_POLL_S: Final = 0.01
_SETTINGS: Final = {
    "listen_addresses": HOST,
    "wal_sender_timeout": "3s",
    "wal_receiver_timeout": "3s",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "100ms",
    "wal_keep_size": "512MB",
    # What a killed server left waiting for its standby must not show when it recovers.
    "restart_after_crash": "off",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}


class Cluster:
    """One of the two servers."""

    def __init__(self, name: str, directory: Path, port: int) -> None:
        """Server *name* in *directory*; nothing stands yet."""
        self.name = name
        self.port = port
        self._server: EmbeddedPostgres = own_server(directory)

    @property
    def url(self) -> str:
        """Its own address."""
        return f"postgresql+asyncpg://postgres@{HOST}:{self.port}/{DATABASE}"

    def create(self) -> None:
        """A new database system, which does not run yet."""
        self._server.start()
        self._server.stop()
        with (self._server.data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write("include = 'cluster.conf'\n")

    def copy(self, other: Cluster) -> None:
        """All that *other* has, which runs; this one does not."""
        data = self._server.data
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True, mode=0o700)
        self._give(data)
        where = ("-h", HOST, "-p", str(other.port), "-U", "postgres", "-D", str(data))
        self._server._run("pg_basebackup", "--checkpoint=fast", *where)

    def rewind(self, other: Cluster) -> None:
        """What this one alone has is undone; then all that *other* has. It does not run."""
        other.ask("CHECKPOINT")
        source = f"host={HOST} port={other.port} user=postgres dbname=postgres"
        data = str(self._server.data)
        try:
            self._server._run("pg_rewind", "-D", data, "--source-server", source)
        except RegistryUnreachable:
            self.copy(other)

    def start(self, *, follows: Cluster | None = None, synchronous: str = SYNCHRONOUS) -> None:
        """It runs and answers: as the standby of the one that it *follows*, or as a primary."""
        data = self._server.data
        settings = {**_SETTINGS, "port": str(self.port), "synchronous_standby_names": synchronous}
        mark = data / "standby.signal"
        mark.unlink(missing_ok=True)
        if follows is not None:
            whom = f"host={HOST} port={follows.port} user=postgres application_name={self.name}"
            settings |= {"primary_conninfo": whom, "recovery_target_timeline": "latest"}
            mark.touch()
            self._give(mark)
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        self._server._configure()
        (data / "postgresql.auto.conf").write_text("", encoding="utf-8")
        (data / "cluster.conf").write_text("".join(lines), encoding="utf-8")
        self._give(data / "cluster.conf")
        # Killed processes that nobody has waited for count as running.
        for left in (data / "postmaster.pid", data / f".s.PGSQL.{self.port}.lock"):
            left.unlink(missing_ok=True)
        log = str(self._server.log)
        self._server._run("pg_ctl", "start", "-w", "-t", "30", "-D", str(data), "-l", log)

    def send(self, number: signal.Signals) -> None:
        """Every process of it hears the signal, at one moment as far as can be."""
        first = psutil.Process(self._server.pid() or 0)
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self) -> None:
        """As when its machine dies: none of its processes does anything any more."""
        first = psutil.Process(self._server.pid() or 0)
        first.suspend()  # so that it begins none while they are listed
        every = [*first.children(recursive=True), first]
        for process in every:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        while any(map(_lives, every)):
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """It does not run."""
        if self._server.pid() is not None:
            self.send(signal.SIGCONT)
            self._server._try("pg_ctl", "stop", "-m", "immediate", "-D", str(self._server.data))

    def promote(self) -> None:
        """The standby is a primary, on a timeline of its own."""
        self._server._run("pg_ctl", "promote", "-w", "-D", str(self._server.data))

    def ask(self, query: str) -> str:
        """What *query* answers, one row a line."""
        where = ["-h", HOST, "-p", str(self.port), "-U", "postgres", "-d", DATABASE]
        return self._server._run("psql", "-X", "-q", "-A", "-t", "-c", query, *where).strip()

    def demand(self, synchronous: str) -> None:
        """Its commits wait for the standbys *synchronous*; for none if that is empty."""
        self.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{synchronous}'")
        self.ask("SELECT pg_reload_conf()")

    def has_standby(self) -> bool:
        """Whether a standby has every commit of it."""
        query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"
        return self.ask(query) != "0"

    def next_transaction(self) -> int:
        """The number that the next transaction with a write would have."""
        return int(self.ask("SELECT pg_snapshot_xmax(pg_current_snapshot())"))

    def timeline(self) -> int:
        """On which it writes; it must be a primary."""
        return int(self.ask(_TIMELINE))

    def is_left(self) -> bool:
        """Whether none of our sessions does anything there."""
        return self.ask(_BUSY) == "0"

    def _give(self, path: Path) -> None:
        account = self._server._account()
        if account is not None:
            os.chown(path, account.pw_uid, account.pw_gid)


class Clusters:
    """The two, and which is which."""

    def __init__(self, directory: Path, ports: tuple[int, int]) -> None:
        """Nothing stands yet."""
        self.primary, self.standby = [
            Cluster(name, directory / name, port) for name, port in zip(NAMES, ports, strict=True)
        ]

    @property
    def url(self) -> str:
        """The address that names both, always in one order."""
        ends = sorted([self.primary, self.standby], key=lambda one: one.name)
        named = "&".join(f"host={HOST}:{one.port}" for one in ends)
        return f"postgresql+asyncpg://postgres@/{DATABASE}?{named}"

    def create(self) -> None:
        """The standby has every commit of the primary."""
        self.primary.create()
        self.primary.start(synchronous="")
        self.standby.copy(self.primary)
        self.standby.start(follows=self.primary)
        self.primary.demand(SYNCHRONOUS)

    def promote(self) -> None:
        """The standby takes writes, and its commits wait for nobody: it is alone."""
        self.primary, self.standby = self.standby, self.primary
        self.primary.promote()
        self.primary.demand("")

    def rejoin(self) -> None:
        """The one that does not run is the standby of the other, which waits for it again."""
        self.standby.rewind(self.primary)
        self.standby.start(follows=self.primary)
        self.primary.demand(SYNCHRONOUS)

    def stop(self) -> None:
        """None of the two runs."""
        for one in (self.primary, self.standby):
            one.stop()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def two_clusters(ports: tuple[int, int], directory: Path | None = None) -> Iterator[Clusters]:
    """A primary and its synchronous standby, in memory where there is such a directory."""
    place = MEMORY if MEMORY.is_dir() else None
    made = directory or Path(tempfile.mkdtemp(prefix="ydhub-", dir=place))
    clusters = Clusters(made, ports)
    try:
        clusters.create()
        yield clusters
    finally:
        clusters.stop()
        shutil.rmtree(made, ignore_errors=True)
