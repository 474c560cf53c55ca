"""Which attacks which listener suffers, and what is promised of each.

Source: reliability notes, section 4 (gRPC), and 7.3 (R16).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.cli.dev.layout import HUB, RELAYER

ENROLMENT: Final = "enrolment"
CHAIN: Final = "hangzhou"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What must hold while and after a listener is attacked."""

    p99_ms: int = 100
    """Of another caller; twice what it was before where that is more, as on a busy machine."""
    grows_mib: int = 50
    """What the process may hold more."""
    closed_s: int = 0
    """When the last connection must be closed; 0 where none need be."""
    ends: str = ""
    """The one status that calls end with; empty where they may end as they like."""
    is_long: bool = False
    """Whether it goes on for as long as the longest, under traffic."""


_ANY: Final = Promise()
_IDLE: Final = Promise(closed_s=60, grows_mib=200)
_SILENT: Final = Promise(closed_s=15, grows_mib=200)
_REFUSED: Final = Promise(ends="RESOURCE_EXHAUSTED")

PLAN: Final[tuple[tuple[str, str, Promise], ...]] = (
    (HUB, "resets", _ANY),
    (HUB, "pings", _ANY),
    (HUB, "settings", _ANY),
    (HUB, "continuations", _ANY),
    (HUB, "metadata", _REFUSED),
    (HUB, "oversized", _REFUSED),
    (HUB, "bomb", Promise(ends="RESOURCE_EXHAUSTED", grows_mib=10)),
    (HUB, "held", _ANY),
    (HUB, "drips", _SILENT),
    (HUB, "silent-tcp", _SILENT),
    (HUB, "silent-tls", _SILENT),
    (HUB, "silent-http2", _IDLE),
    (HUB, "stalled", Promise(grows_mib=10, is_long=True)),
    (ENROLMENT, "resets", _ANY),
    (ENROLMENT, "held", _ANY),
    (ENROLMENT, "silent-http2", _IDLE),
    (RELAYER, "resets", _ANY),
    (RELAYER, "held", _ANY),
    (RELAYER, "silent-http2", _IDLE),
    (RELAYER, "stopped", Promise(grows_mib=10, is_long=True)),
    (CHAIN, "resets", _ANY),
    (CHAIN, "silent-tls", _SILENT),
)
"""(listener, attack, promise)."""
