"""What a check is given, and what it says.

A check is a function of ``Examined`` alone: it asks nobody, reads no clock, and is listed in
registry.py. What could not be asked it is not given, and then it says UNKNOWN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from hub.core.time import SECOND, Duration, Timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ydhub.client.v1 import client_pb2
    from ydhub.hub.v1 import status_service_pb2
    from ydhub.peer.v1 import peer_pb2

MINUTE = Duration(60 * SECOND)
HOUR = Duration(60 * MINUTE)
DAY = Duration(24 * HOUR)


class Level(StrEnum):
    """How it is."""

    OK = "OK"
    WARNING = "WARNING"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    """What the check looks at could not be asked, or was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """Everything that was asked, and what could not be."""

    now: Timestamp
    """By the clock of whoever asks."""
    version: str
    """Of whoever asks."""
    server: str = ""
    """host:port of the hub."""
    hub_error: str = ""
    """Why the hub did not answer; empty if it did."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """By what was asked: why it was not answered."""
    asked_at: Timestamp | None = None
    """Midway between asking for the database and hearing of it, by the clock of whoever asks."""
    database: status_service_pb2.GetDatabaseResponse | None = None
    hub_report: status_service_pb2.GetDatabaseResponse | None = None
    """The same as the hub answered it, a moment before."""
    database_is_direct: bool = False
    """It was asked on its own machine, beside the hub."""
    invariants_asked: bool = False
    activity: status_service_pb2.GetActivityResponse | None = None
    earlier: status_service_pb2.GetActivityResponse | None = None
    """The same a moment before."""
    peers: Sequence[peer_pb2.Peer] | None = None
    clients: Sequence[client_pb2.Client] | None = None
    certificates: Mapping[str, Timestamp] = field(default_factory=dict)
    """By whose it is: when it ends."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check says."""

    level: Level
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    name: str
    """Stable, as ``packet.parked``."""
    looks_at: str
    runbook: str
    """A page of deploy/runbooks."""
    judge: Callable[[Examined], Verdict]


def fine(detail: str) -> Verdict:
    """All is well."""
    return Verdict(Level.OK, detail)


def unknown(detail: str) -> Verdict:
    """It could not be asked."""
    return Verdict(Level.UNKNOWN, detail)


def warning(detail: str, fix: str) -> Verdict:
    """Somebody should look, by day."""
    return Verdict(Level.WARNING, detail, fix)


def failed(detail: str, fix: str) -> Verdict:
    """Somebody must look, now."""
    return Verdict(Level.FAILED, detail, fix)


def graded(value: int, warns_at: int, fails_at: int, detail: str, fix: str) -> Verdict:
    """By how much *value* is: from *warns_at* on a warning, from *fails_at* on failed."""
    if value >= fails_at:
        return failed(detail, fix)
    return warning(detail, fix) if value >= warns_at else fine(detail)


def shown(duration: int) -> str:
    """*duration* (ns) for people, in its two largest units."""
    seconds = abs(duration) // SECOND
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"


def few(names: Sequence[str]) -> str:
    """The first of *names*, and how many more there are."""
    listed = ", ".join(names[:3])
    return listed if len(names) <= 3 else f"{listed} and {len(names) - 3} more"  # noqa: PLR2004
