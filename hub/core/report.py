"""How the hub is, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hub.core.ids import PeerId
    from hub.core.invariants import InvariantViolation
    from hub.core.lane import LaneKey, LaneState
    from hub.core.record import ExceptionKind
    from hub.core.time import Duration, Timestamp


STANDBY: Final = "synchronous_standby"
"""The setting that tells who has every commit beside the primary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayerReport:
    """A relayer that holds leases."""

    name: str
    peers: tuple[PeerId, ...]
    lease_expires_at: Timestamp
    """When its oldest lease ends unless it is renewed, by the database's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubReport:
    """What the registry says of the hub as a whole."""

    schema_revision: str
    invariants: tuple[InvariantViolation, ...]
    """By name, asked of the newest records."""
    relayers: tuple[RelayerReport, ...]
    peer_count: int
    open_lane_count: int
    accepted_count: int
    """Packets accepted."""
    ended_count: int
    """Packets whose outcome is executed at their source."""
    exception_count: int
    disproven: tuple[tuple[PeerId, int], ...] = ()
    """(peer, packets open again), where its adapter reported executed what was proven not to be."""


@dataclass(frozen=True, slots=True)
class ExceptionCount:
    """How many packets of a lane have an exception of one kind."""

    kind: ExceptionKind
    count: int
    oldest: Timestamp
    """Since when the oldest of them is of this kind, by the database's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneActivity:
    """What one lane has done, and what waits in it."""

    key: LaneKey
    state: LaneState
    pause_cause: str
    source_stopped: str
    """Why the source's proofs do not count; empty if they do."""
    destination_stopped: str
    accepted_count: int
    delivered_count: int
    outcome_count: int
    completed_count: int
    open_count: int
    """Accepted packets without an outcome."""
    owed_count: int
    """Outcomes that the source has not executed."""
    hole_count: int
    """Sequences missing below the highest accepted one."""
    oldest_open_at: Timestamp | None
    """When the oldest packet without an outcome was accepted."""
    oldest_owed_at: Timestamp | None
    """When the oldest outcome that its source has not executed was recorded."""
    exceptions: tuple[ExceptionCount, ...]
    """By kind."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the database that durability rests on."""

    name: str
    value: str
    is_durable: bool
    """Whether an answered commit survives under it."""


@dataclass(frozen=True, slots=True)
class TableUpkeep:
    """A table, and what its rows have left behind."""

    name: str
    live_count: int
    """As the database estimates."""
    dead_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseUpkeep:
    """A peer's lease, also one that is over."""

    peer: PeerId
    owner: str
    """Empty if it was given back."""
    is_attached: bool
    expires_at: Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseReport:
    """How the registry's database is."""

    needed_revision: str
    server_version: str
    settings: tuple[Setting, ...]
    connection_count: int
    max_connection_count: int
    tables: tuple[TableUpkeep, ...]
    """Those with the most dead rows first."""
    leases: tuple[LeaseUpkeep, ...]
    """By peer."""
    oldest_transaction: Duration
    """How long the oldest has been open (ns)."""
    waiting_session_count: int
    size_bytes: int
    disk_free_bytes: int
    """0 where the disk is not this machine's."""
    disk_total_bytes: int
    transactions_left: int
    """Until the server must stop to wrap its numbers around."""
