"""One Cosmos chain as a city: its users, the keys of its adapter, and where that dials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from adapters.cosmos.tx.keys import write_new_keys
from tests.chains.cosmos.network import CosmosNetwork
from tests.chains.cosmos.options import STAKE

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.cosmos.tx.keys import Key
    from tests.chains.cosmos.lying_node import LyingNode
    from tests.chains.cosmos.options import ChainOptions

TOKEN: Final = "token"
HELD: Final = 1_000_000_000
"""Of the token that each user has at the beginning."""
USERS: Final = 4
RELAYER_KEYS: Final = 4
FUNDS: Final = 1_000_000
"""Of the stake that each key has at the beginning."""


@dataclass(slots=True)
class City:
    """One chain, its users, and the keys of its adapter."""

    peer: str
    chain: CosmosNetwork
    users: tuple[Key, ...]
    keys_file: Path
    node_url: str
    """Where the adapter dials; a proxy may stand there."""
    proxy: LyingNode | None = None

    @property
    def chain_id(self) -> str:
        """The chain's id."""
        return self.chain.chain_id

    @property
    def liar(self) -> LyingNode:
        """The proxy, where there is one."""
        assert self.proxy is not None, f"{self.peer} has no proxy"
        return self.proxy


def make_city(directory: Path, peer: str, options: ChainOptions) -> City:
    """The city of a chain with *options*, but for its balances; nothing runs yet."""
    directory.mkdir(parents=True, exist_ok=True)
    keys_file = directory / f"{peer}.keys"
    relayers = write_new_keys(keys_file, RELAYER_KEYS, "cosmos")
    users = write_new_keys(directory / f"{peer}.users", USERS, "cosmos")
    balances = {
        **{key.address: {STAKE: FUNDS} for key in relayers},
        **{key.address: {TOKEN: HELD, STAKE: FUNDS} for key in users},
    }
    chain = CosmosNetwork(directory / peer, peer, replace(options, balances=balances))
    return City(peer=peer, chain=chain, users=users, keys_file=keys_file, node_url=chain.rpc_url())
