from __future__ import annotations

from typing import TYPE_CHECKING

from hub.wire import anchor_file
from tests.harness.exchange import HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from pathlib import Path

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


async def test_a_frozen_client_starts_again_from_the_operators_own_file(
    ydhub: Desk, exchange: Exchange, tmp_path: Path
) -> None:
    exchange.grow(3)
    file = tmp_path / "suzhou.yaml"
    height = exchange.chain(SUZHOU).height
    anchor_file.write(file, exchange.anchor(SUZHOU, height), peer=SUZHOU)
    recover = ("client", "recover", "suzhou", "-f", file, "--cause", "the fork is mended")
    await ydhub("client", "freeze", "suzhou", "--cause", "by order 7")
    dry = await ydhub(*recover, "--dry-run")
    assert dry.error == f"peers/suzhou/client would start from this anchor, 1-{height}\n"
    assert (await ydhub("client", "get", "suzhou", "-o", "json")).json["frozenCause"]
    done = await ydhub(*recover)
    assert done.error == f"peers/suzhou/client starts from this anchor, 1-{height}\n"
    assert ["status", "PENDING"] in done.rows
    again = await ydhub(*recover)
    assert again.error == f"peers/suzhou/client started from this anchor before, 1-{height}\n"


async def test_an_anchor_of_another_peer_recovers_nothing(
    ydhub: Desk, exchange: Exchange, tmp_path: Path
) -> None:
    file = tmp_path / "hangzhou.yaml"
    anchor_file.write(file, exchange.anchor(HANGZHOU), peer=HANGZHOU)
    found = await ydhub("client", "recover", "suzhou", "-f", file, "--cause", "mended")
    assert (found.code, "is hangzhou, not suzhou" in found.error) == (3, True)
