"""A relayer process as the registry knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hub.core.time import SECOND, Duration

if TYPE_CHECKING:
    from hub.core.time import Timestamp

ALIVE_WITHIN: Final = Duration(5 * SECOND)
"""A relayer whose last heartbeat is older (ns) does not run, or cannot do its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayer:
    """One relayer process, by its name."""

    relayer: str
    address: str
    """Where adapters dial it, host:port."""
    version: str
    started_at: Timestamp
    heartbeat_at: Timestamp
    """By the database's clock, as every time here."""
    is_alive: bool
    """Whether its heartbeat is fresh."""
    is_draining: bool
    """Whether an operator wants it to have no sessions."""
    sessions: int
    """Peers whose living leases it holds."""
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"relayers/{self.relayer}"

    @property
    def takes_sessions(self) -> bool:
        """Whether adapters are sent to it."""
        return self.is_alive and not self.is_draining
