"""Show light clients, stop them, and let them start again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hub.core import client
from hub.core.client import ChainClient, HubClient
from hub.core.ids import PeerId, parse_peer_id
from hub.light_clients.router import light_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.core.client import Anchor
    from hub.core.ids import ClientId
    from hub.core.time import Timestamp
    from hub.ports.caller import Caller
    from hub.ports.clients import Evidence
    from hub.ports.registry import Registry

Client = HubClient | ChainClient

_PEERS_AT_ONCE = 100


async def get(registry: Registry, peer: PeerId, native: ClientId | None) -> Client:
    """The hub client of *peer*, or the client *native* on its chain. Raises ``ClientNotFound``."""
    if native is None:
        return await registry.clients.hub_client(peer)
    return await registry.clients.chain_client(peer, native)


async def page(
    registry: Registry, peer: PeerId | None, after: str, limit: int
) -> tuple[Sequence[Client], bool]:
    """At most *limit* clients behind the one named *after*, and whether there are more.

    They come by peer, then by name. With *peer* only its own. Raises ``PeerNotFound``,
    ``ClientNotFound``.
    """
    last = parse_peer_id(after.removeprefix("peers/").partition("/")[0]) if after else ""
    found: list[Client] = []
    if peer is not None:
        await registry.peers.get(peer)
        last = peer
    if last:
        own = await registry.clients.hub_client(PeerId(last))
        found = [one for one in await _of_peer(registry, own) if one.name > after]
    while peer is None and len(found) <= limit:
        batch = await registry.clients.hub_clients(last, _PEERS_AT_ONCE)
        for own in batch:
            found += await _of_peer(registry, own)
            last = own.peer
            if len(found) > limit:
                break
        if len(batch) < _PEERS_AT_ONCE:
            break
    return found[:limit], len(found) > limit


async def freeze(
    registry: Registry, peer: PeerId, cause: str, by: Caller
) -> tuple[HubClient, bool]:
    """The frozen hub client of *peer*, and whether it was frozen before.

    Raises ``ClientNotFound``, ``RequestIdReused``.
    """
    already = await registry.clients.freeze(peer, cause, None, by)
    return await registry.clients.hub_client(peer), already


async def recover(
    registry: Registry, peer: PeerId, anchor: Anchor, cause: str, by: Caller, *, now: Timestamp
) -> tuple[HubClient, bool]:
    """The hub client of *peer*, started again from *anchor*, and whether it was before.

    Raises ``ClientNotFound``, ``ClientActive``, ``AnchorInvalid``, ``RequestIdReused``.
    """
    light_client(anchor.client_type).check_anchor(anchor)
    already = await registry.clients.recover(peer, anchor, now, cause, by)
    return await registry.clients.hub_client(peer), already


async def check_recovery(
    registry: Registry, peer: PeerId, anchor: Anchor, now: Timestamp
) -> tuple[HubClient, bool]:
    """What ``recover`` would return; nothing is changed. Raises as ``recover``."""
    light_client(anchor.client_type).check_anchor(anchor)
    found = await registry.clients.hub_client(peer)
    if found.has_started(anchor, now):
        return found, True
    client.check_recovery(found, anchor, now)
    return replace(found, anchor=anchor, is_frozen=False, frozen_cause="", latest=None), False


async def evidence(registry: Registry, peer: PeerId) -> Sequence[Evidence]:
    """What is kept against the peer's chain, oldest first. Raises ``ClientNotFound``."""
    await registry.clients.hub_client(peer)
    return await registry.clients.evidence(peer)


async def _of_peer(registry: Registry, own: HubClient) -> list[Client]:
    chain_clients = await registry.clients.chain_clients(own.peer)
    return [own, *sorted(chain_clients, key=lambda found: found.name)]
