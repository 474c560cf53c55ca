from __future__ import annotations

import asyncpg
import pytest

from hub.core.errors import CommitUnknown, LaneNotFound, RegistryUnreachable
from hub.registry.engine import answering, database_url


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://hub@localhost:5433/registry",
        "postgres://hub@localhost:5433/registry",
        "postgresql+asyncpg://hub@localhost:5433/registry",
    ],
)
def test_every_address_of_a_database_is_over_the_one_driver(text: str) -> None:
    url = database_url(text)
    assert url.render_as_string() == "postgresql+asyncpg://hub@localhost:5433/registry"


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.AdminShutdownError("stopping"),
        asyncpg.QueryCanceledError("too long"),
        asyncpg.DeadlockDetectedError("deadlock"),
        asyncpg.DiskFullError("full"),
        asyncpg.TooManyConnectionsError("many"),
        asyncpg.ReadOnlySQLTransactionError("standby"),
        asyncpg.LockNotAvailableError("locked"),
        asyncpg.ObjectNotInPrerequisiteStateError("takes no connections"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("state 12"),
        ConnectionRefusedError("refused"),
        TimeoutError("slow"),
    ],
)
def test_what_means_away_is_told_as_one_error(error: Exception) -> None:
    with pytest.raises(RegistryUnreachable) as caught, answering():
        raise error
    assert caught.value.problem.startswith(type(error).__name__)
    assert caught.value.__cause__ is error


def sent(error: Exception) -> None:
    """A question that was sent ends with *error*."""
    with answering() as asked:
        asked.is_sent = True
        raise error


def refused(error: asyncpg.PostgresError) -> asyncpg.PostgresError:
    """*error* as the server itself sends it, and goes on."""
    error.severity_en = "ERROR"
    return error


@pytest.mark.parametrize(
    "error",
    [
        refused(asyncpg.DeadlockDetectedError("deadlock")),
        refused(asyncpg.LockNotAvailableError("locked")),
        refused(asyncpg.DiskFullError("full")),
        asyncpg.InterfaceError("connection is closed"),
    ],
)
def test_what_the_server_refused_or_never_got_is_not_done(error: Exception) -> None:
    with pytest.raises(RegistryUnreachable):
        sent(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"),
        asyncpg.AdminShutdownError("terminating"),
        asyncpg.InternalClientError("state 12"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
    ],
)
def test_where_the_answer_is_lost_it_may_be_done(error: Exception) -> None:
    with pytest.raises(CommitUnknown) as caught:
        sent(error)
    assert caught.value.problem.startswith(type(error).__name__)


def test_the_sqlstate_is_told_and_the_text_is_not() -> None:
    error = asyncpg.AdminShutdownError("password of hub is secret")
    with pytest.raises(RegistryUnreachable) as caught, answering():
        raise error
    assert caught.value.problem == "AdminShutdownError 57P01"


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("twice"),
        asyncpg.CheckViolationError("wrong"),
        asyncpg.UndefinedTableError("no table"),
        asyncpg.DataError("does not fit"),
        LaneNotFound(name="lanes/x"),
        ValueError("a bug"),
    ],
)
def test_anything_else_is_told_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, answering():
        raise error
    assert caught.value is error
