"""How everything stands at one moment, as the registry says; and how a process is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.core.ids import PeerId
    from hub.core.lane import LaneKey
    from hub.core.record import ExceptionKind
    from hub.core.time import Duration, Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCensus:
    """A peer and the hub's client of its chain."""

    peer: PeerId
    relayer: str
    """Who holds its lease; empty where nobody does."""
    epoch: int
    """Of the living lease; 0 where there is none."""
    is_attached: bool
    header_height: int
    """Number of the newest verified header; 0 before any."""
    header_time: Timestamp
    """The time in it; 0 before any."""
    expires_at: Timestamp
    """When the client expires unless a header comes; 0 before any."""
    is_frozen: bool
    evidence_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneCensus:
    """A lane, in numbers of packets."""

    key: LaneKey
    is_open: bool
    """Whether it accepts packets."""
    accepted_count: int
    ended_count: int
    """Those whose outcome was reported executed at their source, as often as it was."""
    open_count: int
    """Those without an outcome."""
    owed_count: int
    """Outcomes that the source has not executed yet."""
    oldest_at: Timestamp | None
    """When the first of those without an outcome was accepted; None where all have one."""
    exceptions: Mapping[ExceptionKind, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """All of it."""

    at: Timestamp
    """By the clock of whoever took it."""
    peers: tuple[PeerCensus, ...]
    lanes: tuple[LaneCensus, ...]
    partition_days: int
    """Days after today that have their partitions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How a process is."""

    loop_lag: Duration
    """How late a timer ran that was due (ns)."""
    database_latency: Duration | None
    """Round trip of a question that asks for nothing (ns); None where no answer came."""
    clock_skew: int
    """The database's clock less the process's own (ns); 0 where no answer came."""
