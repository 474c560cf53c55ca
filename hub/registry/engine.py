"""Connections to Postgres: limits on everything that waits, and one error when it does not answer.

Two ways in. ``transaction`` is for the control plane: SQLAlchemy over a pool. ``line`` is for the
packet path: a driver connection that stays open, so that a call costs one round trip and nothing
else; every statement on it is its own transaction unless one is opened.

What the database did not do is ``RegistryUnreachable``; where its answer was lost it is
``CommitUnknown``: a change may have happened or not. Both are told by exception class, severity and
SQLSTATE, never by text. A commit whose wait for the standby was cut succeeds with no more than a
warning: so a warning is a lost answer too.

After a lost answer nothing is read, and nothing written, before a mark of ours is committed, which
waits for the standby as every commit does: whatever may have happened before it is either durable
then, or not there. So who reads again goes on from what will be there after a promotion too.

Source: reliability.md sections 0 (4, 5), 4 and 9.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager, contextmanager
from copy import copy
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from hub.core.errors import (
    CommitUnknown,
    HubError,
    RegistryUnreachable,
    StandbyMissing,
    TimelineOutdated,
)
from hub.registry.primary import (
    CONNECT_TIMEOUT,
    Servers,
    hosts_apart,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

AWAY: Final = (RegistryUnreachable, CommitUnknown, StandbyMissing, TimelineOutdated)
"""What is raised where the registry does not do what it was asked, for the moment."""
POOL_SIZE: Final = 4
LINES: Final = 4
_MAX_NAME: Final = 40
"""Characters; Postgres keeps 63 bytes of a session's name."""

SETTINGS: Final = {
    "TimeZone": "UTC",
    "statement_timeout": "15s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "2s",
    # What nobody waits for any more ends by itself; a commit that waits for its standby does not.
    "client_connection_check_interval": "2s",
    # Statements are many and short; compiling one costs more than running it.
    "jit": "off",
}

_AWAY: Final = (
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InternalClientError,  # the driver, of a connection that the server was just ending
    asyncpg.InsufficientResourcesError,  # class 53: disk full, too many connections
    asyncpg.OperatorInterventionError,  # class 57: shut down, cancelled, starting
    asyncpg.PostgresSystemError,  # class 58: I/O
    asyncpg.TransactionRollbackError,  # class 40: deadlock
    asyncpg.LockNotAvailableError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # the database takes no connections
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, or a primary that is fenced
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    OSError,  # with TimeoutError
)


_PLAN_ONCE: Final = "SET plan_cache_mode = force_generic_plan"
"""Of a line: its statements are few, and no plan of theirs depends on what is asked for; with
partitions the server would else plan each reading of facts anew, for half of what it costs."""
_WARNED: Final = "warned"
_MARK: Final = "SELECT pg_logical_emit_message(true, 'ydhub', '')"
"""A record of its own in the log, so that its commit waits for the standby."""


def database_url(text: str) -> URL:
    """*text* as the address of a Postgres database, over the one driver.

    It may name several servers, ``postgresql://hub@db1:5432,db2:5432/ydhub``.
    """
    return make_url(hosts_apart(text)).set(drivername="postgresql+asyncpg")


def servers_of(text: str, session: str) -> Servers:
    """The servers of the address *text*; *session* names our connections there."""
    return Servers(database_url(text), {**SETTINGS, "application_name": session})


def open_engine(
    text: str, *, session: str, pool_size: int = POOL_SIZE, servers: Servers | None = None
) -> AsyncEngine:
    """An engine for the database at *text*; *session* names its connections at the server."""
    servers = servers or servers_of(text, session)
    engine = create_async_engine(
        database_url(text),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT,
        pool_pre_ping=True,
        async_creator=servers.connect,
    )
    event.listen(engine.sync_engine, "connect", _listen_for_warnings)
    return engine


class Asked:
    """How far a question has come."""

    def __init__(self) -> None:
        """Nothing is sent yet."""
        self.is_sent = False
        """Whether it may be with the server."""
        self._cancellations = _cancellations()

    def check_cancelled(self) -> None:
        """Nobody has asked the task to end meanwhile. Raises ``CancelledError``.

        A roll-back on a connection that was dropped fails, and the library makes of that a failure
        of its own, or a new connection: the cancellation is not seen any more.
        """
        if _cancellations() > self._cancellations:
            raise asyncio.CancelledError


@contextmanager
def answering() -> Iterator[Asked]:
    """What is inside asks the database.

    Raises ``RegistryUnreachable`` if it does not answer, and ``CommitUnknown`` if it was sent, by
    its ``Asked``, and the answer is lost.
    """
    asked = Asked()
    try:
        with _translated(asked):
            yield asked
    except Exception:
        asked.check_cancelled()
        raise
    asked.check_cancelled()


def _cancellations() -> int:
    """How often the task of now was asked to end."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # there is no loop
        return 0
    return task.cancelling() if task is not None else 0


@contextmanager
def _translated(asked: Asked) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        if error.connection_invalidated or (cause is not None and _is_away(cause)):
            raise _away(cause or error, asked) from (cause or error)
        raise
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
        PoolTimeout,
    ) as error:
        if _is_away(error):
            raise _away(error, asked) from error
        raise


class Database:
    """The database of one registry."""

    def __init__(self, url: str, name: str) -> None:
        """The database at *url*, for the program *name*; nothing is connected yet."""
        self.today = date(2000, 1, 1)
        """The database's date, as it was asked last (partitions.py); which facts are recent."""
        self.session = f"{name[:_MAX_NAME]}/{secrets.token_hex(8)}"
        """Names this process's connections, and no other's; a lease records it."""
        self.servers = servers_of(url, self.session)
        self._engine = open_engine(
            url, session=self.session, pool_size=self.connection_limit, servers=self.servers
        )
        self._idle: list[AsyncConnection] = []
        self._free = asyncio.Semaphore(LINES)
        self._closed = False
        self._is_unsure = False
        """Whether an answer was lost since the last mark."""
        self._marking: asyncio.Task[None] | None = None
        self.refusal: HubError | None = None
        """Why nothing is asked now, but for people's sake."""

    async def close(self) -> None:
        """Every connection is closed."""
        self._closed = True
        if self._marking is not None:
            self._marking.cancel()
            await asyncio.gather(self._marking, return_exceptions=True)
        while self._idle:
            await self._idle.pop().close()
        await self._engine.dispose()

    @property
    def connection_limit(self) -> int:
        """Connections that it may have."""
        return POOL_SIZE + LINES + 2

    @property
    def connections_used(self) -> int:
        """Connections that work on something now."""
        pool: Any = self._engine.sync_engine.pool
        return max(int(pool.checkedout()) - len(self._idle), 0)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction; committed where the block ends, rolled back where it raises.

        Raises ``RegistryUnreachable``, ``CommitUnknown``, ``StandbyMissing``, ``TimelineOutdated``.
        """
        await self._make_sure()
        with self._noting(), answering() as asked:
            async with self._engine.connect() as connection:
                asked.check_cancelled()
                asked.is_sent = True
                info = connection.info
                try:
                    async with connection.begin():
                        yield connection
                    _check_warned(info)
                finally:
                    if _WARNED in info:
                        await connection.invalidate()

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Any]:
        """A driver connection for the packet path. Raises as ``transaction``."""
        await self._make_sure()
        async with self.look() as driver:
            yield driver

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Any]:
        """A line for what nobody decides by: also where nothing is accepted.

        What it shows may be gone after a promotion. Raises as ``transaction``.
        """
        with self._noting(), answering() as asked:
            async with self._free:
                connection, driver = await self._take_line()
                asked.is_sent = True
                info = connection.info
                is_sound = False
                try:
                    yield driver
                    _check_warned(info)
                    is_sound = True
                except (HubError, asyncpg.PostgresError):
                    is_sound = _WARNED not in info
                    raise
                finally:
                    if is_sound and not (driver.is_closed() or driver.is_in_transaction()):
                        self._idle.append(connection)
                    else:
                        # What it was doing is undone or unknown; the next caller gets a new one.
                        await discard(connection)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """A lost answer of what is inside is remembered."""
        try:
            yield
        except (CommitUnknown, asyncio.CancelledError, GeneratorExit):
            self._is_unsure = True
            raise

    async def _make_sure(self) -> None:
        """Nothing that was not answered may come or go any more.

        Raises ``StandbyMissing`` or ``RegistryUnreachable``.
        """
        if self.refusal is not None:
            raise copy(self.refusal)
        while self._is_unsure or not (self._marking is None or self._marking.done()):
            if self._marking is None or self._marking.done():
                self._marking = asyncio.create_task(self._mark())
                self._marking.add_done_callback(_hear)
            # One mark is enough for all, and whoever gives up leaves it to the others.
            await asyncio.shield(self._marking)

    async def _mark(self) -> None:
        """A commit of ours is where every commit has to be. Raises ``RegistryUnreachable``."""
        self._is_unsure = False
        try:
            connection = await self.connect()
            with answering():
                try:
                    await (await driver_of(connection)).execute(_MARK)
                    _check_warned(connection.info)
                except BaseException:
                    await discard(connection)
                    raise
                await connection.close()
        except CommitUnknown as error:
            self._is_unsure = True
            raise RegistryUnreachable(problem=error.problem) from error
        except BaseException:
            self._is_unsure = True
            raise

    async def _take_line(self) -> tuple[AsyncConnection, Any]:
        while self._idle:
            connection = self._idle.pop()
            driver = await driver_of(connection)
            if not driver.is_closed():
                return connection, driver
            await discard(connection)
        connection = await self.connect()
        try:
            driver = await driver_of(connection)
            await driver.execute(_PLAN_ONCE)
        except BaseException:
            await discard(connection)
            raise
        return connection, driver

    async def connect(self) -> AsyncConnection:
        """A connection of its own, without transactions, for what nobody decides by.

        Raises ``RegistryUnreachable``, ``TimelineOutdated``.
        """
        with answering() as asked:
            connection = await self._engine.connect()
            try:
                asked.check_cancelled()
                return await connection.execution_options(isolation_level="AUTOCOMMIT")
            except BaseException:
                await connection.close()
                raise


async def driver_of(connection: AsyncConnection) -> Any:
    """The asyncpg connection beneath *connection*."""
    return (await connection.get_raw_connection()).driver_connection


async def discard(connection: AsyncConnection) -> None:
    """The connection is gone, also at the server, without waiting for it."""
    (await driver_of(connection)).terminate()
    await connection.invalidate()
    await connection.close()


def _listen_for_warnings(connection: Any, record: Any) -> None:
    """From now on the pool's *record* knows whether its server warned."""

    def heard(_: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.severity_en == "WARNING":
            record.info[_WARNED] = message.sqlstate

    connection.driver_connection.add_log_listener(heard)


def _hear(task: asyncio.Task[None]) -> None:
    """Its failure is known here, also where nobody waits for it any more."""
    if not task.cancelled():
        task.exception()


def _check_warned(info: Mapping[Any, Any]) -> None:
    """The server had nothing to warn of. Raises ``CommitUnknown``."""
    if _WARNED in info:
        raise CommitUnknown(problem=f"warning {info[_WARNED]}")


def _away(error: BaseException, asked: Asked) -> RegistryUnreachable | CommitUnknown:
    """*error* as we tell it: what the server itself refused, or never got, is not done."""
    is_refused = getattr(error, "severity_en", None) == "ERROR"
    is_unsent = not asked.is_sent or isinstance(error, (asyncpg.InterfaceError, PoolTimeout))
    if is_refused or is_unsent:
        return RegistryUnreachable(problem=_shown(error))
    return CommitUnknown(problem=_shown(error))


def _is_away(error: BaseException) -> bool:
    """Whether *error* means that the database is away, or did not do it in time."""
    if isinstance(error, asyncpg.InterfaceError):
        # Closed, or busy with a call that was cut; a value that does not fit is a bug of ours.
        return not isinstance(error, ValueError)
    return isinstance(error, (*_AWAY, PoolTimeout))


def _shown(error: BaseException) -> str:
    """The kind of *error*; its text may hold what is nobody's business."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {state}" if state else type(error).__name__
