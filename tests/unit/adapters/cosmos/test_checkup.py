from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.cosmos import checkup
from hub.core.codec.proto import bytes_field, message_field, varint_field
from tests.harness.comet_json import base64, query_json
from tests.harness.comet_rpc import NOWHERE, ScriptedNode, served
from tests.harness.cometbft import make_chain, members
from tests.harness.cosmos_process import config_of

if TYPE_CHECKING:
    from typing import Any

    from adapters.cosmos.config import CosmosConfig

BLOCKS = make_chain([members(30, 20, 10)] * 6)


def scripted() -> ScriptedNode:
    node = ScriptedNode(BLOCKS)

    def query(params: dict[str, Any]) -> dict[str, Any]:
        if params["path"].endswith("Balance"):
            value = message_field(1, bytes_field(1, b"stake") + bytes_field(2, b"1234"))
        else:
            value = message_field(1, varint_field(3, 7) + varint_field(4, 9))
        return query_json(value=base64(value))

    node.methods["abci_query"] = query
    return node


def spoil(config: CosmosConfig, *, anchor: bool = False) -> None:
    """The anchor is gone, or else the keys can be read by others."""
    if anchor:
        Path(config.counterparties["hangzhou"]).unlink()
    else:
        Path(config.keys.file).chmod(0o644)


async def lines_of(config: CosmosConfig, *, ready: bool) -> list[str]:
    out = io.StringIO()
    assert await checkup.run(config, out) is ready
    return out.getvalue().splitlines()


async def test_everything_that_is_ready_has_its_line(tmp_path: Path) -> None:
    async with served(scripted()) as urls:
        config = config_of(tmp_path, nodes=list(urls), gas_price="1stake")
        node, keys, anchor = await lines_of(config, ready=True)
    assert "suzhou-1 at height 6, kept from 1" in node
    assert keys.count("account 7, 1234stake") == 2
    assert anchor.endswith("anchor of hangzhou: hangzhou-1 at 1-5")


async def test_each_thing_that_is_not_ready_says_why_and_hides_no_other(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    spoil(config, anchor=True)
    lines = await lines_of(config, ready=False)
    assert [line.split()[0] for line in lines] == ["FAILED"] * 3
    assert "CHAIN_UNREACHABLE" in lines[0]
    assert "CHAIN_UNREACHABLE" in lines[1]
    async with served(scripted()) as urls:
        config = config_of(tmp_path, nodes=[NOWHERE, *urls])
        lines = await lines_of(config, ready=False)
    assert [line.split()[0] for line in lines] == ["FAILED", "ok", "ok", "FAILED"]


async def test_keys_that_others_can_read_are_not_ready(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    spoil(config)
    lines = await lines_of(config, ready=False)
    assert "FIELD_INVALID" in lines[1]
    assert "chmod 600" in lines[1]
