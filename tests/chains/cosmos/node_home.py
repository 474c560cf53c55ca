"""The home directory of one node: its keys, its settings, the genesis.

A setting that is not written keeps the default of CometBFT or the SDK, which each of them takes for
a key that its file lacks.

Source: cometbft privval/file.go, p2p/key.go, config/toml.go; cosmos-sdk server/config/toml.go.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.chains.cosmos.options import ChainOptions

HOST: Final = "127.0.0.1"
PRUNED_EVERY: Final = 10
"""Blocks; the SDK's smallest interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsensusKey:
    """An Ed25519 key as CometBFT's files hold it."""

    secret: bytes
    """Seed and public key, 64 bytes."""

    @classmethod
    def new(cls) -> ConsensusKey:
        """A key that nobody else has."""
        key = Ed25519PrivateKey.generate()
        return cls(secret=key.private_bytes_raw() + key.public_key().public_bytes_raw())

    @property
    def public(self) -> str:
        """The public key, base64."""
        return b64encode(self.secret[32:]).decode()

    @property
    def address(self) -> str:
        """What CometBFT calls the key, 40 hexadecimal digits."""
        return sha256(self.secret[32:]).hexdigest()[:40]

    def as_json(self) -> dict[str, str]:
        """The private key in Amino's JSON."""
        return {"type": "tendermint/PrivKeyEd25519", "value": b64encode(self.secret).decode()}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHome:
    """Where a node lives, and at which ports it listens on this machine."""

    directory: Path
    validator: ConsensusKey
    node: ConsensusKey
    rpc_port: int
    peer_port: int

    @property
    def rpc_url(self) -> str:
        """The address of the node's RPC."""
        return f"http://{HOST}:{self.rpc_port}"

    @property
    def peer(self) -> str:
        """The node as others dial it."""
        return f"{self.node.address}@{HOST}:{self.peer_port}"

    @property
    def log(self) -> Path:
        """What the node's process writes, over all its starts."""
        return self.directory / "node.log"

    def write(self, genesis: bytes, peers: Sequence[str], options: ChainOptions) -> None:
        """All files of the node, which has not run yet."""
        config, data = self.directory / "config", self.directory / "data"
        config.mkdir(parents=True)
        data.mkdir()
        (config / "genesis.json").write_bytes(genesis)
        public = {"type": "tendermint/PubKeyEd25519", "value": self.validator.public}
        key = {"address": self.validator.address.upper(), "pub_key": public}
        _write_json(
            config / "priv_validator_key.json", key | {"priv_key": self.validator.as_json()}
        )
        _write_json(config / "node_key.json", {"priv_key": self.node.as_json()})
        _write_json(data / "priv_validator_state.json", {"height": "0", "round": 0, "step": 0})
        (config / "config.toml").write_text(_config(self, peers, options), encoding="utf-8")
        (config / "app.toml").write_text(_app(options), encoding="utf-8")
        (config / "client.toml").write_text(_client(self, genesis), encoding="utf-8")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
    path.chmod(0o600)


def _config(home: NodeHome, peers: Sequence[str], options: ChainOptions) -> str:
    return f"""\
moniker = "{home.directory.name}"
log_level = "{options.log_level}"

[rpc]
laddr = "tcp://{HOST}:{home.rpc_port}"
pprof_laddr = ""

[p2p]
laddr = "tcp://{HOST}:{home.peer_port}"
persistent_peers = "{",".join(peers)}"
addr_book_strict = false
allow_duplicate_ip = true
pex = false

[mempool]
size = {options.mempool_transactions}
recheck = {_toml(options.is_rechecking)}

[consensus]
timeout_commit = "{options.block_ms}ms"

[tx_index]
indexer = "{"kv" if options.is_indexing else "null"}"
"""


def _app(options: ChainOptions) -> str:
    pruning = "custom" if options.keeps_states else "nothing"
    return f"""\
minimum-gas-prices = "0stake"
pruning = "{pruning}"
pruning-keep-recent = "{options.keeps_states}"
pruning-interval = "{PRUNED_EVERY if options.keeps_states else 0}"
min-retain-blocks = {options.keeps_blocks}
iavl-cache-size = 100000

[api]
enable = false

[grpc]
enable = false

[grpc-web]
enable = false
"""


def _client(home: NodeHome, genesis: bytes) -> str:
    return f"""\
chain-id = "{json.loads(genesis)["chain_id"]}"
keyring-backend = "test"
node = "tcp://{HOST}:{home.rpc_port}"
broadcast-mode = "sync"
"""


def _toml(flag: bool) -> str:  # noqa: FBT001 - a value to be written
    return "true" if flag else "false"
