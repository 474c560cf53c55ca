"""How the hub is, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.core.ids import PeerId
    from hub.core.time import Timestamp


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
    invariants: tuple[tuple[str, int], ...]
    """(name, rows that break it)."""
    relayers: tuple[RelayerReport, ...]
    peer_count: int
    open_lane_count: int
    accepted_count: int
    """Packets accepted."""
    ended_count: int
    """Packets whose outcome is executed at their source."""
    exception_count: int
