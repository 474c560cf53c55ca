from __future__ import annotations

import pytest

from hub.core.errors import ClientTypeUnknown
from hub.light_clients.cometbft.client import CometBftClient
from hub.light_clients.router import LIGHT_CLIENTS, light_client


def test_client_type_leads_to_its_light_client() -> None:
    assert isinstance(light_client("07-tendermint"), CometBftClient)
    for client_type, client in LIGHT_CLIENTS.items():
        assert light_client(client_type) is client
        assert client.client_type == client_type


@pytest.mark.parametrize("client_type", ["", "07-TENDERMINT", "07-tendermint-0", "x" * 1000])
def test_unknown_client_type_is_refused_with_the_known_ones(client_type: str) -> None:
    with pytest.raises(ClientTypeUnknown) as caught:
        light_client(client_type)
    assert "07-tendermint" in caught.value.known
    assert len(caught.value.client_type) <= 64
