"""Admit peers, show them with who serves them, suspend them and let them take part again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import PeerExists, PeerNotFound
from hub.core.peer import Peer, PeerState
from hub.light_clients.router import light_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor
    from hub.core.ids import PeerId
    from hub.core.time import Timestamp
    from hub.ports.caller import Caller
    from hub.ports.leases import Lease
    from hub.ports.registry import Registry


async def register(
    registry: Registry, peer: PeerId, display_name: str, anchor: Anchor, by: Caller
) -> tuple[Peer, bool]:
    """The registered peer, and whether it stood there before with the same contents.

    Raises ``AnchorInvalid``, ``ClientTypeUnknown``, ``PeerExists``, ``RequestIdReused``.
    """
    _check(anchor)
    return await registry.peers.register(peer, display_name, anchor, by)


async def check_registration(
    registry: Registry, peer: PeerId, display_name: str, anchor: Anchor, now: Timestamp
) -> tuple[Peer, bool]:
    """What ``register`` would return; nothing is changed. Raises as ``register``."""
    _check(anchor)
    try:
        found = await registry.peers.get(peer)
    except PeerNotFound:
        new = Peer(
            peer=peer,
            display_name=display_name,
            state=PeerState.ACTIVE,
            anchor=anchor,
            created_at=now,
            revision=1,
        )
        return new, False
    if (found.display_name, found.anchor) != (display_name, anchor):
        raise PeerExists(name=found.name)
    return found, True


async def suspend(registry: Registry, peer: PeerId, cause: str, by: Caller) -> tuple[Peer, bool]:
    """The suspended peer, and whether it was suspended before.

    Raises ``PeerNotFound``, ``IllegalMove``, ``RequestIdReused``.
    """
    already = await registry.peers.suspend(peer, cause, by)
    return await registry.peers.get(peer), already


async def resume(registry: Registry, peer: PeerId, cause: str, by: Caller) -> tuple[Peer, bool]:
    """The peer, which takes part, and whether it did before. Raises as ``suspend``."""
    already = await registry.peers.resume(peer, cause, by)
    return await registry.peers.get(peer), already


async def get(registry: Registry, peer: PeerId) -> tuple[Peer, Lease | None]:
    """The peer, and its lease if anyone holds it. Raises ``PeerNotFound``."""
    found = await registry.peers.get(peer)
    leases = await _leases(registry)
    return found, leases.get(peer)


async def page(
    registry: Registry, after: str, limit: int
) -> tuple[Sequence[tuple[Peer, Lease | None]], bool]:
    """At most *limit* peers above *after* with their leases, and whether there are more."""
    peers = await registry.peers.page(after, limit + 1)
    leases = await _leases(registry)
    found = [(peer, leases.get(peer.peer)) for peer in peers[:limit]]
    return found, len(peers) > limit


async def _leases(registry: Registry) -> dict[PeerId, Lease]:
    return {lease.peer: lease for lease in await registry.leases.all()}


def _check(anchor: Anchor) -> None:
    light_client(anchor.client_type).check_anchor(anchor)
