from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hub.cli.connection import connect
from hub.cli.resources import client_name, lane_between, lane_name, packet_name, peer_name
from hub.cli.settings import Given, resolve
from hub.core.errors import IdentifierInvalid, LaneNotFound
from hub.core.ids import ClientId
from hub.core.lane import LaneKey
from tests.harness.exchange import ADMIN, HANGZHOU, SUZHOU

if TYPE_CHECKING:
    from tests.harness.command_line import Desk
    from tests.harness.exchange import Exchange


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("hangzhou", "peers/hangzhou/client"),
        ("peers/hangzhou", "peers/hangzhou/client"),
        ("peers/hangzhou/client", "peers/hangzhou/client"),
        ("hangzhou/07-tendermint-0", "peers/hangzhou/clients/07-tendermint-0"),
        ("peers/hangzhou/clients/07-tendermint-0", "peers/hangzhou/clients/07-tendermint-0"),
    ],
)
def test_clients_have_short_names(text: str, name: str) -> None:
    assert client_name(text) == name


def test_what_names_no_peer_or_client_is_refused() -> None:
    assert peer_name("hangzhou") == peer_name("peers/hangzhou") == "peers/hangzhou"
    for text in ("", "peers/", "Hangzhou", "a/b"):
        with pytest.raises(IdentifierInvalid):
            peer_name(text)
    with pytest.raises(IdentifierInvalid):
        client_name("hangzhou/x")


async def test_a_lane_is_found_by_its_ends_if_there_is_one(ydhub: Desk, exchange: Exchange) -> None:
    async with connect(resolve(Given(directory=ydhub.directory))) as hub:
        assert await lane_name(hub, "hangzhou~suzhou") == exchange.key.name
        assert (await lane_between(hub, "suzhou", "hangzhou")).name == exchange.key.reverse.name
        assert await packet_name(hub, "hangzhou~suzhou/7") == f"{exchange.key.name}/packets/7"
        for text in ("hangzhou~suzhou~x", "hangzhou", "a~b~c~d~e"):
            with pytest.raises(IdentifierInvalid):
                await lane_name(hub, text)
        with pytest.raises(LaneNotFound):
            await lane_name(hub, "hangzhou~shanghai")


async def test_two_lanes_between_the_same_ends_must_be_told_apart(
    ydhub: Desk, exchange: Exchange
) -> None:
    second = LaneKey(HANGZHOU, ClientId("x-1"), SUZHOU, ClientId("x-1"))
    (plan,) = [opening.plan for opening, _ in exchange.registry.state.openings.values()]
    from dataclasses import replace

    opening = await exchange.registry.lanes.start_opening(replace(plan, from_sequence=2), ADMIN)
    await exchange.registry.lanes.finish_opening(opening.number, [(second, 1)])
    async with connect(resolve(Given(directory=ydhub.directory))) as hub:
        with pytest.raises(IdentifierInvalid) as raised:
            await lane_name(hub, "hangzhou~suzhou")
        assert second.name in raised.value.rule
        assert await lane_name(hub, str(second)) == second.name
