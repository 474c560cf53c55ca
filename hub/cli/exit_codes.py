"""What a script learns from how a command ends. The numbers are stable.

Source: the categories of hub/core/errors/base.py; what is not the hub's own, by its gRPC code.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from hub.core import errors
from hub.wire.status import RemoteError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.core.errors import HubError, Reason


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    BUG = 1
    USAGE = 2
    MALFORMED = 3
    VERIFICATION_FAILED = 4
    STATE_FORBIDS = 5
    NOT_FOUND = 6
    CONFLICT = 7
    NOT_ALLOWED = 8
    UNAVAILABLE = 9
    """Something is away, or a limit is reached: try again."""
    LOST_RACE = 10
    CORRUPT = 11
    UNSUPPORTED = 12


CATEGORIES: Final[dict[type[HubError], ExitCode]] = {
    errors.Malformed: ExitCode.MALFORMED,
    errors.VerificationFailed: ExitCode.VERIFICATION_FAILED,
    errors.StateForbids: ExitCode.STATE_FORBIDS,
    errors.NotFound: ExitCode.NOT_FOUND,
    errors.Conflict: ExitCode.CONFLICT,
    errors.LostRace: ExitCode.LOST_RACE,
    errors.NotAllowed: ExitCode.NOT_ALLOWED,
    errors.Exhausted: ExitCode.UNAVAILABLE,
    errors.Unavailable: ExitCode.UNAVAILABLE,
    errors.Corrupt: ExitCode.CORRUPT,
    errors.Unsupported: ExitCode.UNSUPPORTED,
}
"""By category of failure."""

_GRPC: Final = {
    "INVALID_ARGUMENT": ExitCode.MALFORMED,
    "FAILED_PRECONDITION": ExitCode.STATE_FORBIDS,
    "OUT_OF_RANGE": ExitCode.STATE_FORBIDS,
    "NOT_FOUND": ExitCode.NOT_FOUND,
    "ALREADY_EXISTS": ExitCode.CONFLICT,
    "ABORTED": ExitCode.LOST_RACE,
    "PERMISSION_DENIED": ExitCode.NOT_ALLOWED,
    "UNAUTHENTICATED": ExitCode.NOT_ALLOWED,
    "RESOURCE_EXHAUSTED": ExitCode.UNAVAILABLE,
    "UNAVAILABLE": ExitCode.UNAVAILABLE,
    "DEADLINE_EXCEEDED": ExitCode.UNAVAILABLE,
    "DATA_LOSS": ExitCode.CORRUPT,
    "UNIMPLEMENTED": ExitCode.UNSUPPORTED,
}


def category_of(reason: Reason) -> type[HubError] | None:
    """The category that *reason* belongs to; None of a bug."""
    return _BY_REASON.get(reason)


def code_of(error: BaseException) -> ExitCode:
    """The exit code that tells of *error*."""
    if isinstance(error, RemoteError):
        category = category_of(error.reason) if error.reason is not None else None
        if category is None:
            return _GRPC.get(error.code, ExitCode.BUG)
        return CATEGORIES[category]
    for category, code in CATEGORIES.items():
        if isinstance(error, category):
            return code
    return ExitCode.BUG


def _leaves() -> Iterator[tuple[Reason, type[HubError]]]:
    for category in CATEGORIES:
        for leaf in category.__subclasses__():
            yield leaf.reason, category


_BY_REASON: Final[dict[Reason, type[HubError]]] = dict(_leaves())
