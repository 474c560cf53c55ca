"""Whether an adapter's surroundings are ready: one line for each, and why where one is not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from adapters.cosmos import queries
from adapters.cosmos.connecting import connect
from adapters.cosmos.tx.keys import read_keys
from adapters.sdk.clock import SystemClock
from hub.core.errors import HubError
from hub.wire import anchor_file

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from adapters.cosmos.config import CosmosConfig


async def run(config: CosmosConfig, out: TextIO) -> bool:
    """Whether everything that *config* names is ready; each finding is a line of *out*."""
    checks: list[tuple[str, Awaitable[str]]] = [
        *[(f"node {url}", _node(config, url)) for url in config.nodes],
        (f"keys {config.keys.file}", _keys(config)),
        *[(f"anchor of {peer}", _anchor(file)) for peer, file in config.counterparties.items()],
    ]
    is_ready = True
    for what, check in checks:
        try:
            out.write(f"ok      {what}: {await check}\n")
        except HubError as error:
            is_ready = False
            out.write(f"FAILED  {what}: {error.reason}: {error}\n")
    return is_ready


async def _node(config: CosmosConfig, url: str) -> str:
    node = connect(config, [url], SystemClock())
    try:
        status = await node.status()
    finally:
        await node.close()
    behind = ", catching up" if status.is_catching_up else ""
    return f"{status.chain_id} at height {status.latest}, kept from {status.earliest}{behind}"


async def _keys(config: CosmosConfig) -> str:
    keys = read_keys(Path(config.keys.file), config.keys.address_prefix)
    node = connect(config, config.nodes, SystemClock())
    try:
        found: list[str] = []
        for key in keys:
            account = await queries.account(node, key.address)
            held = ""
            if config.settings.denomination:
                denomination = config.settings.denomination
                amount = await queries.balance(node, key.address, denomination)
                held = f", {amount}{denomination}"
            found.append(f"{key.address} (account {account.number}{held})")
    finally:
        await node.close()
    return "; ".join(found)


async def _anchor(file: str) -> str:
    _, anchor = anchor_file.read(file)
    return f"{anchor.chain_id} at {anchor.height}"
