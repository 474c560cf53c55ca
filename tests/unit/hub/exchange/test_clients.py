from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from hub.core.client import ClientStatus, HubClient
from hub.core.errors import (
    ClientActive,
    ClientNotFound,
    ClientTypeUnknown,
    PeerNotFound,
    Reason,
)
from hub.core.ids import ClientId, PeerId
from hub.exchange import clients
from tests.harness.anchors import make_anchor
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU, Exchange

if TYPE_CHECKING:
    from hub.ports.registry import Registry


@pytest.fixture
async def exchange() -> Exchange:
    found = await Exchange.make()
    mirror = await found.mirror(HANGZHOU)
    for number in (10, 9):
        client = replace(mirror, client=ClientId(f"07-tendermint-{number}"))
        await found.registry.clients.put_chain_client(found.fences[HANGZHOU], client)
    # Its id sorts behind hangzhou, its client's name before.
    await found.registry.peers.register(PeerId("hangzhou-2"), "", make_anchor("h2-1"), ADMIN)
    return found


async def names(registry: Registry, peer: PeerId | None, limit: int) -> list[str]:
    found: list[str] = []
    more = True
    while more:
        after = found[-1] if found else ""
        page, more = await clients.page(registry, peer, after, limit)
        assert len(page) <= limit
        found += [client.name for client in page]
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
async def test_every_client_is_listed_once_whatever_the_page(
    exchange: Exchange, limit: int
) -> None:
    first = exchange.path.client(exchange.path.left)
    own = sorted([first, "07-tendermint-10", "07-tendermint-9"])
    of_hangzhou = ["peers/hangzhou/client", *[f"peers/hangzhou/clients/{name}" for name in own]]
    everyone = [*of_hangzhou, "peers/hangzhou-2/client", "peers/suzhou/client"]
    assert await names(exchange.registry, None, limit) == everyone
    assert await names(exchange.registry, HANGZHOU, limit) == of_hangzhou


async def test_clients_of_an_unknown_peer_are_not_found(exchange: Exchange) -> None:
    with pytest.raises(PeerNotFound):
        await clients.page(exchange.registry, PeerId("nowhere"), "", 10)
    with pytest.raises(ClientNotFound):
        await clients.get(exchange.registry, PeerId("nowhere"), None)
    with pytest.raises(ClientNotFound):
        await clients.get(exchange.registry, HANGZHOU, ClientId("07-tendermint-99"))
    with pytest.raises(ClientNotFound):
        await clients.evidence(exchange.registry, PeerId("nowhere"))


async def test_a_client_is_frozen_once(exchange: Exchange) -> None:
    client, already = await clients.freeze(exchange.registry, SUZHOU, "by order", ADMIN)
    assert (client.is_frozen, client.frozen_cause, already) == (True, "by order", False)
    _, already = await clients.freeze(exchange.registry, SUZHOU, "again", ADMIN)
    assert already
    found = await clients.get(exchange.registry, SUZHOU, None)
    assert isinstance(found, HubClient)
    assert found.frozen_cause == "by order"


async def test_evidence_is_shown_oldest_first(exchange: Exchange) -> None:
    for first in (b"a", b"b"):
        evidence = (Reason.CONSENSUS_STATE_DIFFERS, first, b"other")
        await exchange.registry.clients.freeze(SUZHOU, "two headers", evidence, ADMIN)
    found = await clients.evidence(exchange.registry, SUZHOU)
    assert [(entry.number, entry.first) for entry in found] == [(1, b"a"), (2, b"b")]


async def test_a_recovery_is_checked_without_changing_anything(exchange: Exchange) -> None:
    exchange.grow(3)
    registry, now = exchange.registry, exchange.path.now
    anchor = exchange.anchor(SUZHOU, exchange.chain(SUZHOU).height)
    with pytest.raises(ClientActive):
        await clients.check_recovery(registry, SUZHOU, anchor, now)
    await registry.clients.freeze(SUZHOU, "two truths", None, ADMIN)
    found, already = await clients.check_recovery(registry, SUZHOU, anchor, now)
    assert (found.anchor, found.is_frozen, already) == (anchor, False, False)
    assert (await registry.clients.hub_client(SUZHOU)).is_frozen
    made, already = await clients.recover(registry, SUZHOU, anchor, "mended", ADMIN, now=now)
    assert (made.anchor, made.status(now), already) == (anchor, ClientStatus.PENDING, False)
    assert await clients.check_recovery(registry, SUZHOU, anchor, now) == (made, True)


async def test_a_client_type_that_nobody_knows_starts_nothing(exchange: Exchange) -> None:
    anchor = replace(exchange.anchor(SUZHOU), client_type="none")
    with pytest.raises(ClientTypeUnknown):
        await clients.recover(
            exchange.registry, SUZHOU, anchor, "mended", ADMIN, now=exchange.path.now
        )
