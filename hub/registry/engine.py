"""Connections to Postgres: limits on everything that waits, and one error when it does not answer.

Two ways in. ``transaction`` is for the control plane: SQLAlchemy over a pool. ``line`` is for the
packet path: a driver connection that stays open, so that a call costs one round trip and nothing
else; every statement on it is its own transaction unless one is opened.

What the database could not do in time is ``RegistryUnreachable``, told by exception class and
SQLSTATE, never by text. After it a change may have happened or not: whoever asked reads again. So
it is too where the server warned: a commit whose wait for the standby was cut succeeds with no more
than a warning.

Source: reliability.md sections 4 and 9.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy import event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine

from hub.core.errors import HubError, RegistryUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

CONNECT_TIMEOUT: Final = 5
ANSWER_TIMEOUT: Final = 20
"""Seconds. A commit that waits for a standby is under no limit of the server's."""
POOL_SIZE: Final = 4
LINES: Final = 4
_MAX_NAME: Final = 40
"""Characters; Postgres keeps 63 bytes of a session's name."""

SETTINGS: Final = {
    "TimeZone": "UTC",
    "statement_timeout": "15s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "2s",
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


_WARNED: Final = "warned"


def database_url(text: str) -> URL:
    """*text* as the address of a Postgres database, over the one driver."""
    return make_url(text).set(drivername="postgresql+asyncpg")


def open_engine(text: str, *, session: str, pool_size: int = POOL_SIZE) -> AsyncEngine:
    """An engine for the database at *text*; *session* names its connections at the server."""
    engine = create_async_engine(
        database_url(text),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT,
        pool_pre_ping=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT,
            "command_timeout": ANSWER_TIMEOUT,
            "server_settings": {**SETTINGS, "application_name": session},
        },
    )
    event.listen(engine.sync_engine, "connect", _listen_for_warnings)
    return engine


@contextmanager
def answering() -> Iterator[None]:
    """What is inside asks the database. Raises ``RegistryUnreachable`` if it does not answer."""
    try:
        yield
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        if error.connection_invalidated or (cause is not None and _is_away(cause)):
            raise RegistryUnreachable(problem=_shown(cause or error)) from error
        raise
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
        PoolTimeout,
    ) as error:
        if _is_away(error):
            raise RegistryUnreachable(problem=_shown(error)) from error
        raise


class Database:
    """The database of one registry."""

    def __init__(self, url: str, name: str) -> None:
        """The database at *url*, for the program *name*; nothing is connected yet."""
        self.session = f"{name[:_MAX_NAME]}/{secrets.token_hex(8)}"
        """Names this process's connections, and no other's; a lease records it."""
        self._engine = open_engine(url, session=self.session, pool_size=self.connection_limit)
        self._idle: list[AsyncConnection] = []
        self._free = asyncio.Semaphore(LINES)
        self._closed = False

    async def close(self) -> None:
        """Every connection is closed."""
        self._closed = True
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

        Raises ``RegistryUnreachable``.
        """
        with answering():
            async with self._engine.connect() as connection:
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
        """A driver connection for the packet path. Raises ``RegistryUnreachable``."""
        with answering():
            async with self._free:
                connection, driver = await self._take_line()
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

    async def _take_line(self) -> tuple[AsyncConnection, Any]:
        while self._idle:
            connection = self._idle.pop()
            driver = await driver_of(connection)
            if not driver.is_closed():
                return connection, driver
            await discard(connection)
        connection = await self.connect()
        return connection, await driver_of(connection)

    async def connect(self) -> AsyncConnection:
        """A connection of its own, without transactions. Raises ``RegistryUnreachable``."""
        with answering():
            connection = await self._engine.connect()
            return await connection.execution_options(isolation_level="AUTOCOMMIT")


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


def _check_warned(info: Mapping[Any, Any]) -> None:
    """The server had nothing to warn of. Raises ``RegistryUnreachable``."""
    if _WARNED in info:
        raise RegistryUnreachable(problem=f"warning {info[_WARNED]}")


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
