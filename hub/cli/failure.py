"""How a failure is told: what, why, what to do, and how to find it in the logs."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

import click

from hub.cli.exit_codes import ExitCode, category_of, code_of
from hub.cli.fixes import FIXES
from hub.core.errors import HubError, Reason
from hub.wire.status import RemoteError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_CONNECTION = "look at --server and whether the hub runs: `ydhub dev status`"
_NO_CERTIFICATE = (
    "the other side ended the handshake; it wants a certificate of its own CA: see --cert, --key "
    "and --ca"
)


def show(error: Exception) -> ExitCode:
    """*error* is told on stderr; its exit code."""
    code = code_of(error)
    for line in lines(error):
        click.echo(line, err=True)
    if code is ExitCode.BUG and not isinstance(error, RemoteError):
        traceback.print_exception(error, file=sys.stderr)
    return code


def lines(error: Exception) -> Iterator[str]:
    """What is told of *error*, line by line."""
    match error:
        case RemoteError(reason=None):
            yield f"error {error.code}: {error.message}"
            yield f"  fix  {_connection_fix(error)}"
        case RemoteError() | HubError() if error.reason is not None:
            yield f"error {error.reason}: {_message(error)}"
            category = category_of(error.reason)
            if category is not None:
                yield f"  why  {_sentence(category)}"
            yield f"  fix  {FIXES[error.reason]}"
        case _:
            yield f"error {Reason.INTERNAL}: {type(error).__name__}: {error}"
            yield f"  fix  {FIXES[Reason.INTERNAL]}"
    for note in getattr(error, "__notes__", ()):
        yield f"  note {note}"
    if isinstance(error, RemoteError) and error.request_id:
        yield f"  more request {error.request_id}"


def _message(error: RemoteError | HubError) -> str:
    return error.message if isinstance(error, RemoteError) else str(error)


def _sentence(category: type[HubError]) -> str:
    """The first line of the category's own words: what the caller may do about it."""
    return (category.__doc__ or "").partition("\n")[0]


def _connection_fix(error: RemoteError) -> str:
    if error.code == "DEADLINE_EXCEEDED":
        return "wait longer with --timeout, or look at `ydhub dev status`"
    # gRPC has no code of its own for a handshake; its words are for people, and so is this hint.
    return f"{_NO_CONNECTION}; {_NO_CERTIFICATE}" if error.is_retryable else _NO_CONNECTION
