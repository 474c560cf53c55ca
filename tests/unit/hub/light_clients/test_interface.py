from __future__ import annotations

import inspect

import pytest

from hub.light_clients.interface import LightClient
from hub.light_clients.router import LIGHT_CLIENTS

METHODS = [
    name for name, _ in inspect.getmembers(LightClient, inspect.isfunction) if name[0] != "_"
]


@pytest.mark.parametrize("client_type", LIGHT_CLIENTS)
@pytest.mark.parametrize("method", METHODS)
def test_every_light_client_has_the_shape(client_type: str, method: str) -> None:
    offered = getattr(type(LIGHT_CLIENTS[client_type]), method)
    assert inspect.signature(offered) == inspect.signature(getattr(LightClient, method))
