from __future__ import annotations

from typing import TYPE_CHECKING

from hub.core.errors import Reason
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange


async def test_clients_are_listed_of_all_or_of_one_peer(ydhub: Desk, exchange: Exchange) -> None:
    mirror = await exchange.mirror(HANGZHOU)
    found = await ydhub("client", "list")
    assert [row[0] for row in found.rows] == [
        "CLIENT",
        "hangzhou/client",
        f"hangzhou/clients/{mirror.client}",
        "suzhou/client",
    ]
    one = await ydhub("client", "list", "--peer", "suzhou", "-o", "json")
    assert [client["name"] for client in one.json["clients"]] == ["peers/suzhou/client"]


async def test_a_client_is_found_by_peer_or_by_its_own_id(ydhub: Desk, exchange: Exchange) -> None:
    mirror = await exchange.mirror(HANGZHOU)
    hub = await ydhub("client", "get", "hangzhou")
    assert ["trusting", "period", "336h"] in hub.rows
    chain = await ydhub("client", "get", f"hangzhou/{mirror.client}", "-o", "json")
    assert chain.json["name"] == mirror.name
    assert chain.json["counterpartyClient"] == mirror.counterparty
    assert (await ydhub("client", "get", "hangzhou/07-tendermint-99")).code == 6


async def test_a_client_is_frozen_for_a_cause(ydhub: Desk) -> None:
    assert (await ydhub("client", "freeze", "suzhou")).code == 2
    found = await ydhub("client", "freeze", "suzhou", "--cause", "by order 7")
    assert (found.code, found.error) == (0, "peers/suzhou/client is frozen\n")
    assert ["frozen", "for", "by", "order", "7"] in found.rows
    again = await ydhub("client", "freeze", "suzhou", "--cause", "again")
    assert again.error == "peers/suzhou/client was frozen before\n"


async def test_evidence_is_listed(ydhub: Desk, exchange: Exchange) -> None:
    evidence = (Reason.CONSENSUS_STATE_DIFFERS, b"one", b"other one")
    await exchange.registry.clients.freeze(SUZHOU, "two headers", evidence, ADMIN)
    found = await ydhub("client", "evidence", "suzhou")
    assert found.rows[1][:2] == ["suzhou/client/evidence/1", "CONSENSUS_STATE_DIFFERS"]
    assert found.rows[1][-4:] == ["3", "bytes", "9", "bytes"]
