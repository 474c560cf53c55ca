"""Who writes for a peer: leases with a fencing epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.ids import PeerId
    from hub.core.time import Duration, Timestamp


@dataclass(frozen=True, slots=True)
class Fence:
    """The right to write for a peer; every write checks it inside its own transaction."""

    peer: PeerId
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A peer's lease as it stands."""

    peer: PeerId
    owner: str
    epoch: int
    attached: bool
    """Whether the owner has an adapter session of this peer."""
    expires_at: Timestamp
    """By the database's clock."""


class Leases(Protocol):
    """One lease a peer."""

    async def acquire(self, peer: PeerId, owner: str, ttl: Duration) -> Fence | None:
        """A new epoch for *owner*, or None while another owner's lease lives (ns).

        A registry that can tell that the other process has died need not wait for its lease's end.
        Taking raises the epoch in the peer's own row of each of its lanes, and ends the
        transactions that the session which the lease before recorded still has open. An owner's own
        living lease is taken anew. Raises ``PeerNotFound``.
        """
        ...

    async def renew(self, fence: Fence, ttl: Duration, *, attached: bool) -> None:
        """The lease lives *ttl* (ns) longer. Raises ``LeaseLost``."""
        ...

    async def renew_all(self, fences: Sequence[Fence], ttl: Duration) -> Sequence[Fence]:
        """These leases, of attached peers, live *ttl* (ns) longer; those that are lost."""
        ...

    async def release(self, fence: Fence) -> None:
        """The lease is over at once, if it was still this one; its fence writes nothing more."""
        ...

    async def all(self) -> Sequence[Lease]:
        """Every living lease, by peer."""
        ...
