"""What the registry remembers of peers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor
    from hub.core.ids import PeerId
    from hub.core.peer import Peer
    from hub.ports.caller import Caller


class Peers(Protocol):
    """City chains by name."""

    async def register(
        self, peer: PeerId, display_name: str, anchor: Anchor, by: Caller
    ) -> tuple[Peer, bool]:
        """The peer, ACTIVE, and whether it stood there before with the same contents.

        Raises ``PeerExists`` when it differs, ``RequestIdReused``.
        """
        ...

    async def get(self, peer: PeerId) -> Peer:
        """The peer. Raises ``PeerNotFound``."""
        ...

    async def suspend(self, peer: PeerId, cause: str, by: Caller) -> bool:
        """The peer is SUSPENDED, the gates of its lanes are raised; whether it was before.

        Raises ``PeerNotFound``, ``IllegalMove`` from any state but ACTIVE, ``RequestIdReused``.
        """
        ...

    async def resume(self, peer: PeerId, cause: str, by: Caller) -> bool:
        """The peer is ACTIVE, the gates of its lanes are raised; whether it was before.

        Raises as ``suspend``, from any state but SUSPENDED.
        """
        ...

    async def page(self, after: str, limit: int) -> Sequence[Peer]:
        """At most *limit* peers whose id is above *after*, by id."""
        ...
