"""From a client type to its light client."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hub.core.errors import ClientTypeUnknown
from hub.light_clients.cometbft.client import CometBftClient

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.light_clients.interface import LightClient

_BUILT_IN: Final[tuple[LightClient, ...]] = (CometBftClient(),)

LIGHT_CLIENTS: Final[Mapping[str, LightClient]] = MappingProxyType(
    {client.client_type: client for client in _BUILT_IN}
)
"""Every family that this build verifies, by client type."""


def light_client(client_type: str) -> LightClient:
    """The light client of *client_type*. Raises ``ClientTypeUnknown``."""
    client = LIGHT_CLIENTS.get(client_type)
    if client is None:
        raise ClientTypeUnknown(client_type=client_type[:64], known=", ".join(LIGHT_CLIENTS))
    return client
