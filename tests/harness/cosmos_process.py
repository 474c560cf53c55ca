"""The adapter of a Cosmos chain as a process, in a directory of keys and anchors."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from adapters.cosmos.config import CosmosConfig, Keys, Transactions
from adapters.cosmos.tx.keys import write_new_keys
from adapters.sdk.config import Tls
from hub.cli.dev.configs import render
from hub.core.ids import PeerId
from hub.wire import anchor_file
from tests.harness.comet_rpc import NOWHERE
from tests.harness.cosmos_executions import ANCHOR

if TYPE_CHECKING:
    from pathlib import Path

RELAYER = "127.0.0.1:9"
"""Nobody listens there."""


def config_of(directory: Path, *, gas_price: str = "", **changed: Any) -> CosmosConfig:
    """The configuration of an adapter without a chain; its files lie in *directory*."""
    keys, anchor = directory / "keys.txt", directory / "hangzhou.yaml"
    if not keys.exists():
        write_new_keys(keys, 2, "cosmos")
        anchor_file.write(anchor, ANCHOR, peer=PeerId("hangzhou"))
    made = CosmosConfig(
        peer="suzhou",
        chain_id="suzhou-1",
        nodes=[NOWHERE],
        relayers=[RELAYER],
        directory=str(directory / "state"),
        tls=Tls(cert_file="none.pem", key_file="none.key", ca_file="none.pem"),
        keys=Keys(file=str(keys)),
        transactions=Transactions(gas_price=gas_price),
        counterparties={"hangzhou": str(anchor)},
    )
    return msgspec.structs.replace(made, **changed)


def write_config(config: CosmosConfig, file: Path) -> None:
    """*config* as its TOML file."""
    file.write_text(render(msgspec.to_builtins(config)), encoding="utf-8")


async def spawn(*arguments: str) -> asyncio.subprocess.Process:
    """``ydhub-cosmos`` with *arguments*, as a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "adapters.cosmos",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
