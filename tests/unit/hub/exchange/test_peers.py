from __future__ import annotations

from dataclasses import replace

import pytest

from hub.core.errors import AnchorInvalid, ClientTypeUnknown, PeerExists, PeerNotFound
from hub.core.ids import PeerId
from hub.core.peer import PeerState
from hub.core.time import SECOND, Duration, Timestamp
from hub.exchange import peers
from hub.ports.caller import Caller
from hub.registry.memory import MemoryRegistry
from tests.harness.anchors import make_anchor

ADMIN = Caller(identity="spiffe://ydhub.local/admins/li")
HANGZHOU = PeerId("hangzhou")
ANCHOR = make_anchor()
NOW = Timestamp(1_800_000_000 * SECOND)


async def test_a_peer_is_registered_once() -> None:
    registry = MemoryRegistry()
    peer, already = await peers.register(registry, HANGZHOU, "杭州", ANCHOR, ADMIN)
    assert (peer.state, peer.anchor, already) == (PeerState.ACTIVE, ANCHOR, False)
    again, already = await peers.register(registry, HANGZHOU, "杭州", ANCHOR, ADMIN)
    assert (again, already) == (peer, True)
    with pytest.raises(PeerExists):
        await peers.register(registry, HANGZHOU, "Hangzhou", ANCHOR, ADMIN)


async def test_a_check_says_what_registering_would_and_changes_nothing() -> None:
    registry = MemoryRegistry()
    contents = (HANGZHOU, "杭州", ANCHOR)
    peer, already = await peers.check_registration(registry, *contents, NOW)
    assert (peer.peer, peer.created_at, already) == (HANGZHOU, NOW, False)
    with pytest.raises(PeerNotFound):
        await registry.peers.get(HANGZHOU)
    registered, _ = await peers.register(registry, *contents, ADMIN)
    assert await peers.check_registration(registry, *contents, NOW) == (registered, True)
    with pytest.raises(PeerExists):
        await peers.check_registration(registry, HANGZHOU, "other", ANCHOR, NOW)


async def test_an_anchor_that_starts_no_client_is_refused() -> None:
    registry = MemoryRegistry()
    unknown = replace(ANCHOR, client_type="99-other")
    zero = replace(ANCHOR, header_hash=bytes(32))
    for anchor, error in ((unknown, ClientTypeUnknown), (zero, AnchorInvalid)):
        with pytest.raises(error):
            await peers.register(registry, HANGZHOU, "", anchor, ADMIN)
        with pytest.raises(error):
            await peers.check_registration(registry, HANGZHOU, "", anchor, NOW)


async def test_a_peer_is_shown_with_its_lease() -> None:
    registry = MemoryRegistry()
    await peers.register(registry, HANGZHOU, "", ANCHOR, ADMIN)
    assert (await peers.get(registry, HANGZHOU))[1] is None
    await registry.leases.acquire(HANGZHOU, "east-1", Duration(60 * SECOND))
    _, lease = await peers.get(registry, HANGZHOU)
    assert lease is not None
    assert (lease.owner, lease.attached) == ("east-1", False)


async def test_pages_of_peers_follow_each_other() -> None:
    registry = MemoryRegistry()
    for name in ("b", "a", "c"):
        await peers.register(registry, PeerId(name), "", make_anchor(f"{name}-1"), ADMIN)
    first, more = await peers.page(registry, "", 2)
    assert ([peer.peer for peer, _ in first], more) == (["a", "b"], True)
    last, more = await peers.page(registry, "b", 2)
    assert ([peer.peer for peer, _ in last], more) == (["c"], False)


async def test_a_peer_is_suspended_and_takes_part_again() -> None:
    registry = MemoryRegistry()
    await peers.register(registry, HANGZHOU, "杭州", ANCHOR, ADMIN)
    peer, already = await peers.suspend(registry, HANGZHOU, "inspection", ADMIN)
    assert (peer.state, peer.suspend_cause, already) == (PeerState.SUSPENDED, "inspection", False)
    assert (await peers.suspend(registry, HANGZHOU, "again", ADMIN))[1]
    peer, already = await peers.resume(registry, HANGZHOU, "passed", ADMIN)
    assert (peer.state, peer.suspend_cause, already) == (PeerState.ACTIVE, "", False)
