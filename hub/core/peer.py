"""Peers: the city chains that take part."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.core.client import Anchor
    from hub.core.ids import PeerId
    from hub.core.time import Timestamp


class PeerState(StrEnum):
    """Whether a peer takes part."""

    PROPOSED = "PROPOSED"
    """Waits for approval."""
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    RETIRED = "RETIRED"
    """Has left; its records stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A city chain as it is registered."""

    peer: PeerId
    display_name: str
    state: PeerState
    anchor: Anchor
    """Where the hub's client of its chain starts, from the hub operator's own file."""
    created_at: Timestamp
    revision: int
    """Rises with every change of the peer; its etag."""
    suspend_cause: str = ""
    """Why it is suspended; empty while it is not."""

    @property
    def name(self) -> str:
        """The resource name, ``peers/{peer}``."""
        return f"peers/{self.peer}"
