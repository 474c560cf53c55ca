"""The servers that a registry's address names, and which of them is its primary.

An address may name several: a primary and its standbys. Only a primary is ever used, and never one
that a promotion has superseded: of those that take writes the one on the newest timeline counts,
and what is older than one that was seen before is refused, as is another cluster. A server that
comes back after its standby was promoted takes writes like any other; nothing but its timeline
tells that what it has is past.

Connections of this module never cancel. A cancelled commit that waits for its standby is done at
once, and the standby does not have it; so a call that is over is left to its server, unknown.

Source: reliability notes sections 0 (5) and 4, "failover / split brain".
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import asyncpg
import structlog

from hub.core.errors import HubError, RegistryUnreachable, TimelineOutdated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import URL

CONNECT_TIMEOUT: Final = 5
"""Seconds, for each server."""
ANSWER_TIMEOUT: Final = 20
"""Seconds. A commit that waits for a standby is under no limit of the server's."""

_FAILURES: Final = (HubError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a server that is away, or is not what it was, is told by."""
_IDENTITY: Final = """
SELECT s.system_identifier AS system, pg_is_in_recovery() AS is_standby,
    pg_postmaster_start_time()::text AS started,
    CASE WHEN pg_is_in_recovery() THEN c.timeline_id
        ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer
    END AS timeline
FROM pg_control_system() s, pg_control_checkpoint() c
"""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server is."""

    system: int
    """Of the cluster: its copies have it too."""
    timeline: int
    """Each promotion begins the next one."""
    is_standby: bool
    started: str
    """Tells two names of one server from two servers."""


class DroppingConnection(asyncpg.Connection):  # type: ignore[misc]  # the driver has no types
    """Where the driver would cancel, this connection is dropped."""

    def _cancel_current_command(self, waiter: Any, cancel_waiter: Any = None) -> None:
        """The server goes on, and nobody hears how it ended."""
        del waiter, cancel_waiter  # the end of the connection ends both
        self._loop.call_soon(self.terminate)


class Servers:
    """The servers of one address, and the primary among them."""

    def __init__(self, url: URL, session: Mapping[str, str]) -> None:
        """Those that *url* names; *session* are settings of each connection. None is asked yet."""
        _, options = url.get_dialect()().create_connect_args(url)
        hosts, ports = options.pop("host", None), options.pop("port", None)
        several = isinstance(hosts, list) and isinstance(ports, list)
        self._targets = list(zip(hosts, ports, strict=True)) if several else [(hosts, ports)]
        self._options = {
            **options,
            "timeout": CONNECT_TIMEOUT,
            "command_timeout": ANSWER_TIMEOUT,
            "server_settings": dict(session),
            "connection_class": DroppingConnection,
        }
        self._primary: int | None = None
        self._looking = asyncio.Lock()
        self._timelines: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self.newest: Identity | None = None
        """The primary on the newest timeline that was seen."""
        self.is_lone_standby = False
        """Whether the only server that is named was a standby when it was asked last."""
        self.on_promotion: Callable[[], None] = _nobody
        """Called once another server than before is the primary."""

    @property
    def count(self) -> int:
        """How many the address names."""
        return len(self._targets)

    @property
    def primary(self) -> int | None:
        """The number of the one that was the primary last; None where nobody knows."""
        return self._primary

    async def connect(self) -> Any:
        """A connection to the primary.

        Raises ``RegistryUnreachable``, ``TimelineOutdated``, and what the driver raises.
        """
        while (number := self._primary) is not None:
            try:
                return await self._admitted(number, is_known=self.count > 1)
            except _FAILURES:
                if self._primary == number:
                    self._primary = None
                    if self.count == 1:
                        raise
                # Else another was promoted meanwhile.
        async with self._looking:
            if self._primary is not None:
                return await self._admitted(self._primary)
            return await self._find()

    async def open(self, number: int) -> Any:
        """A connection to the server of that *number*, whatever it is. Raises as the driver."""
        host, port = self._targets[number]
        where = {key: value for key, value in (("host", host), ("port", port)) if value}
        return await asyncpg.connect(**self._options, **where)

    async def identity(self, connection: Any) -> Identity:
        """What the server of *connection* is. Raises as the driver."""
        return Identity(**await connection.fetchrow(_IDENTITY, timeout=CONNECT_TIMEOUT))

    def admit(self, number: int, found: Identity) -> None:
        """The server of that *number*, found so, is the primary from now on.

        Raises ``RegistryUnreachable`` for a standby, ``TimelineOutdated`` for what is past.
        """
        self.is_lone_standby = found.is_standby and self.count == 1
        if found.is_standby:
            raise RegistryUnreachable(problem=f"{self.name(number)} is a standby")
        self._check(number, found)
        before, self.newest, self._primary = self.newest, found, number
        if before is None or found.timeline == before.timeline:
            return
        _log.warning("database_promoted", server=self.name(number), timeline=found.timeline)
        for connection, timeline in list(self._timelines.items()):
            if timeline < found.timeline:
                connection.terminate()
        self.on_promotion()

    def name(self, number: int) -> str:
        """The server for people: host:port, or the directory of its socket."""
        host, port = self._targets[number]
        return f"{host}:{port}" if port else str(host or "the default server")

    def _check(self, number: int, found: Identity) -> None:
        known = self.newest
        if known is None:
            return
        got = expected = ""
        if found.system != known.system:
            got, expected = f"system {found.system}", f"system {known.system}"
        elif found.timeline < known.timeline:
            got, expected = f"timeline {found.timeline}", f"timeline {known.timeline}"
        if got:
            raise TimelineOutdated(server=self.name(number), got=got, expected=expected)

    def _check_same(self, number: int, found: Identity) -> None:
        if self.newest is not None and found.started != self.newest.started:
            raise RegistryUnreachable(problem=f"{self.name(number)} was started anew")

    async def _admitted(self, number: int, *, is_known: bool = False) -> Any:
        """A connection to that one; *is_known* where it must not have been started anew.

        While it was down another may have been promoted: then all are asked.
        """
        connection = await self.open(number)
        try:
            found = await self.identity(connection)
            if is_known:
                self._check_same(number, found)
            self.admit(number, found)
        except BaseException:
            connection.terminate()
            raise
        self._timelines[connection] = found.timeline
        return connection

    async def _find(self) -> Any:
        """A connection to the newest primary; everybody is asked, at once."""
        if self.count == 1:
            return await self._admitted(0)
        asked = [self._ask(number) for number in range(self.count)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        primaries: dict[int, Identity] = {}
        failed: list[BaseException] = []
        for number, one in enumerate(found):
            if isinstance(one, BaseException):
                failed.append(one)
            elif not one.is_standby:
                primaries[number] = one
        if not primaries:
            raise failed[0] if failed else RegistryUnreachable(problem="all servers are standbys")
        number = max(primaries, key=lambda at: primaries[at].timeline)
        self._check_alone(number, primaries)
        return await self._admitted(number)

    async def _ask(self, number: int) -> Identity:
        connection = await self.open(number)
        try:
            return await self.identity(connection)
        finally:
            connection.terminate()

    def _check_alone(self, number: int, primaries: Mapping[int, Identity]) -> None:
        """No other of *primaries* is as new. Raises ``TimelineOutdated``."""
        newest = primaries[number]
        for other, found in primaries.items():
            if found.system != newest.system:
                raise TimelineOutdated(
                    server=self.name(other),
                    got=f"system {found.system}",
                    expected=f"system {newest.system}",
                )
            if found.timeline == newest.timeline and found.started != newest.started:
                raise TimelineOutdated(
                    server=f"{self.name(other)} beside {self.name(number)}",
                    got=f"timeline {found.timeline} of its own",
                    expected="one primary alone",
                )
            if found.timeline < newest.timeline:
                _log.warning(
                    "database_outdated",
                    server=self.name(other),
                    timeline=found.timeline,
                    newest=newest.timeline,
                )


def hosts_apart(text: str) -> str:
    """*text*, an address with hosts parted by commas as libpq takes them, as the driver does."""
    scheme, _, rest = text.partition("://")
    place, slash, path = rest.partition("/")
    user, at, hosts = place.rpartition("@")
    if "," not in hosts:
        return text
    named: Sequence[str] = hosts.split(",")
    several = "&".join(f"host={one if ':' in one else one + ':5432'}" for one in named)
    path, _, query = path.partition("?")
    return f"{scheme}://{user}{at}{slash or '/'}{path}?{several}{'&' if query else ''}{query}"


def _nobody() -> None:
    """Nobody listens."""
